"""What every API view shares; knows no word of the domain and imports no app."""
