"""Serializers of input share their fields, and nothing else."""

from rest_framework import serializers

from killthenoise.api.serializers import InputSerializer


class NameSerializer(InputSerializer):
    name = serializers.CharField(max_length=5)


class FullNameSerializer(NameSerializer):
    family = serializers.CharField(default="")


def test_instances_share_fields_but_not_values() -> None:
    valid, invalid = NameSerializer(data={"name": "Ada"}), NameSerializer(data={})

    assert valid.is_valid()
    assert not invalid.is_valid()
    assert valid.fields is invalid.fields
    assert (valid.validated_data, valid.errors) == ({"name": "Ada"}, {})
    assert invalid.errors == {"name": ["This field is required."]}


def test_subclass_has_its_own_fields() -> None:
    usual, full = NameSerializer(data={"name": "Ada"}), FullNameSerializer()

    assert list(full.fields) == ["name", "family"]
    assert usual.is_valid()
    assert "family" not in usual.validated_data


def test_serializer_in_a_list_names_the_item_that_is_wrong() -> None:
    class ListSerializer(InputSerializer):
        names = NameSerializer(many=True)

    given = ListSerializer(data={"names": [{"name": "Ada"}, {"name": "Augusta"}]})

    assert not given.is_valid()
    [found] = given.errors["names"][1]["name"]
    assert "5 characters" in found
