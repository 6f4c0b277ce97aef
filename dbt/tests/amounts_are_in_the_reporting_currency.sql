-- Amounts of another currency would be added up with the others. Returns the current orders, lines and refunds at fault.
with

parameters as (
    select currency from {{ source('control', 'parameters') }}
),

amounts as (
    select
        'order' as kind,
        source,
        order_id as id,
        currency
    from {{ ref('stg_orders') }}
    where superseded_at is null
    union all
    select
        'order line' as kind,
        source,
        line_id as id,
        currency
    from {{ ref('stg_order_lines') }}
    where superseded_at is null
    union all
    select
        'refund' as kind,
        source,
        refund_id as id,
        currency
    from {{ ref('stg_refunds') }}
    where superseded_at is null
),

foreign_amounts as (
    select amounts.*
    from amounts
    inner join parameters on amounts.currency <> parameters.currency
)

select * from foreign_amounts
