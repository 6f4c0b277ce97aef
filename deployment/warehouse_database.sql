-- Run once, when the database server is made: the warehouse's roles, the shop's login and its database.
-- The password is read from its file here, so that it stands in no argument and in no environment.
\set ON_ERROR_STOP on
select 'create role regulars_loader nologin' where to_regrole('regulars_loader') is null \gexec
select 'create role regulars_builder nologin' where to_regrole('regulars_builder') is null \gexec
select 'create role regulars_scorer nologin' where to_regrole('regulars_scorer') is null \gexec
select 'create role regulars_activator nologin' where to_regrole('regulars_activator') is null \gexec
select 'create role regulars_reader nologin' where to_regrole('regulars_reader') is null \gexec
select 'create role regulars_rebuilder nologin' where to_regrole('regulars_rebuilder') is null \gexec
select 'create role regulars login noinherit' where to_regrole('regulars') is null \gexec
grant regulars_builder, regulars_scorer, regulars_activator to regulars_rebuilder;
grant regulars_loader, regulars_builder, regulars_scorer, regulars_activator, regulars_reader, regulars_rebuilder to regulars;
grant regulars to current_user;
-- The locale C compares texts byte by byte, as DuckDB does: the lists are then the same.
select 'create database regulars owner regulars template template0 encoding ''UTF8'' locale ''C'''
where not exists (select from pg_database where datname = 'regulars') \gexec
revoke all on database regulars from public;
grant connect on database regulars to regulars_reader;
grant temporary on database regulars to regulars_loader, regulars_builder, regulars_scorer, regulars_activator, regulars_reader, regulars_rebuilder;
\set password `cat "$REGULARS_SECRETS/warehouse_password"`
alter role regulars password :'password';
\unset password
