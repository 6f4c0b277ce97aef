-- Run once, when the database server is made: Airflow's own role and database, closed to every other role.
-- The password is read from its file here, so that it stands in no argument and in no environment.
\set ON_ERROR_STOP on
\set password `cat "$REGULARS_SECRETS/airflow_database_password"`
CREATE ROLE airflow LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD :'password';
\unset password
CREATE DATABASE airflow OWNER airflow ENCODING 'UTF8' TEMPLATE template0;
REVOKE ALL ON DATABASE airflow FROM PUBLIC;
REVOKE ALL ON DATABASE postgres FROM PUBLIC;
