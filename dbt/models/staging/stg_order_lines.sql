-- Nearly every line has one version and stands as it was landed: a copy of the shop's largest table would tell nothing new. A version
-- that has been landed since the last build is one that no night knows yet.
with

lasting_lines as (
    select
        source,
        record_key,
        order_id,
        line_id,
        account_id,
        ordered_at,
        product_id,
        product_name,
        category,
        quantity,
        unit_price,
        net_revenue,
        discount_amount,
        currency,
        file,
        line,
        known_at,
        cast(null as timestamp) as superseded_at
    from {{ source('raw', 'order_lines') }} as order_lines
    where
        not exists (
            select 1
            from {{ ref('stg_order_line_versions') }} as versions
            where {{ same_record('versions', 'order_lines', ['source', 'record_key']) }}
        )
),

order_lines as (
    select * from lasting_lines
    union all
    select
        source,
        record_key,
        order_id,
        line_id,
        account_id,
        ordered_at,
        product_id,
        product_name,
        category,
        quantity,
        unit_price,
        net_revenue,
        discount_amount,
        currency,
        file,
        line,
        known_at,
        superseded_at
    from {{ ref('stg_order_line_versions') }}
)

select * from order_lines
