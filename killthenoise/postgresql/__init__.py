"""Django's PostgreSQL engine with a bounded pool of connections for psycopg2."""
