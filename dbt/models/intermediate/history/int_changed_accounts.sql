with

named_accounts as (
    {%- for relation in [
        source('private', 'customers'),
        source('raw', 'orders'),
        source('raw', 'order_lines'),
        source('raw', 'refunds'),
        source('raw', 'consents')
    ] %}
        {{ 'union' if not loop.first }}
        select account_id
        from {{ relation }} as landed
        where account_id is not null and {{ is_new('landed', relation) }}
    {%- endfor %}
),

addresses as (
    select distinct customers.normalised_email
    from {{ source('private', 'customers') }} as customers
    inner join named_accounts on customers.account_id = named_accounts.account_id
    where customers.normalised_email is not null
),

changed_accounts as (
    select account_id from named_accounts
    union
    select customers.account_id
    from {{ source('private', 'customers') }} as customers
    inner join addresses on customers.normalised_email = addresses.normalised_email
)

select * from changed_accounts
where {{ unless_built_whole() }}
