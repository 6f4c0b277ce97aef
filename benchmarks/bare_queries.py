"""The SQL of the script by hand, for the sample shop alone."""

READ = """
create temporary table orders as
select
    order_id, account_id, lower(trim(email)) as address, ordered_at, coupon_code, net_revenue, discount_amount,
    cast((ordered_at at time zone 'UTC') at time zone 'Europe/Berlin' as date) - date '1970-01-01' as ordered_day
from read_parquet('{files}/orders*/**/*.parquet');
create temporary table accounts as
select account_id, lower(trim(email)) as address, registered_at as first_event_at from read_csv('{files}/customers*/**/*.csv',
    auto_detect = false, header = true, columns = {{
        account_id: 'varchar', email: 'varchar', first_name: 'varchar', last_name: 'varchar', phone: 'varchar', birth_date: 'date',
        postal_code: 'varchar', city: 'varchar', country: 'varchar', registered_at: 'timestamp'
    }});
create temporary table consents as
select account_id, lower(trim(email)) as address, channel, status, changed_at from read_csv('{files}/consents*/**/*.csv',
    auto_detect = false, header = true, columns = {{
        account_id: 'varchar', email: 'varchar', channel: 'varchar', status: 'varchar', changed_at: 'timestamp', consent_source: 'varchar'
    }});
create temporary table guests as
select address, min(event_at) as first_event_at from (
    select address, ordered_at as event_at from orders where account_id is null
    union all select address, changed_at from consents where account_id is null
) group by address
"""

PERSONS = """
create temporary table everyone as
select account_id, address, first_event_at from accounts
union all select guest_id, address, first_event_at from guests inner join guest_ids using (address);
create temporary table persons as
select address, arg_min(account_id, (first_event_at, account_id)) as customer_id from everyone group by address;
create temporary table account_persons as
select account_id, customer_id from everyone inner join persons using (address)
"""

ORDERS = """
create temporary table refunds as
select refund_id, order_id, product_id, coalesce(quantity, 0) as quantity, amount,
    cast((refunded_at at time zone 'UTC') at time zone 'Europe/Berlin' as date) - date '1970-01-01' as refunded_day
from read_parquet('{files}/refunds*/**/*.parquet');
create temporary table order_lines as
select order_id, product_id, category, quantity, net_revenue from read_parquet('{files}/order_lines*/**/*.parquet');
create temporary table customer_orders as
select orders.*, customer_id
from orders inner join account_persons using (account_id)
union all
select orders.*, customer_id
from orders inner join persons using (address) where orders.account_id is null;
create temporary table kept_orders as
with line_totals as (
    select order_id, sum(quantity) as units_count, count(distinct product_id) as products_count from order_lines group by order_id
),
refund_totals as (
    select order_id, cast(sum(amount) as decimal(18, 4)) as amount, sum(quantity) as units_count
    from refunds where refunded_day < {as_of_day} group by order_id
)
select
    customer_id, order_id, ordered_at, ordered_day, {as_of_day} - ordered_day as days_ago,
    cast(net_revenue - coalesce(refund_totals.amount, 0) as decimal(18, 4)) as net_revenue,
    coalesce(discount_amount, 0) as discount_amount,
    coalesce(discount_amount, 0) > 0 or coalesce(coupon_code, '') <> '' as is_discounted,
    coalesce(greatest(line_totals.units_count - coalesce(refund_totals.units_count, 0), 0), 1) as units_count,
    coalesce(products_count, 1) as products_count,
    refund_totals.amount is not null as has_refund,
    lag(ordered_day) over by_time as previous_day,
    lead(ordered_day) over by_time is null as is_last,
    max(ordered_day) over (partition by customer_id) as last_day
from customer_orders
left join line_totals using (order_id)
left join refund_totals using (order_id)
where ordered_day < {as_of_day} and (
    refund_totals.amount is null
    or ((net_revenue <= 0 or net_revenue > refund_totals.amount)
        and (coalesce(line_totals.units_count, 0) <= 0 or line_totals.units_count > refund_totals.units_count)))
window by_time as (partition by customer_id order by ordered_at, order_id)
"""

FEATURES = """
create temporary table features as
with orders as (
    select *, nullif(ordered_day - previous_day, 0) as gap, {as_of_day} - previous_day as previous_ago,
        cast(net_revenue as decimal(38, 2)) as rounded
    from kept_orders
),
sums as (
    select
        customer_id,
        max(days_ago) as age, min(days_ago) as since_last, count(*) as orders, count(gap) as gaps,
        count(*) filter (days_ago <= 30) as orders_30, count(*) filter (days_ago <= 90) as orders_90,
        count(*) filter (days_ago <= 180) as orders_180, count(*) filter (days_ago <= 365) as orders_365,
        count(*) filter (days_ago <= 365 and (previous_ago is null or previous_ago > 365
            or floor((previous_ago - 1) / 30.0) <> floor((days_ago - 1) / 30.0))) as active_months,
        count(*) filter (days_ago <= 365 and days_ago > 365 - {churn_days}) as last_year,
        sum(net_revenue) as revenue, sum(rounded) as rounded, sum(rounded * rounded) as squared,
        max(net_revenue) as dearest, max(net_revenue) filter (is_last) as last_value,
        coalesce(sum(net_revenue) filter (days_ago <= 30), 0) as revenue_30,
        coalesce(sum(net_revenue) filter (days_ago <= 90), 0) as revenue_90,
        coalesce(sum(net_revenue) filter (days_ago <= 180), 0) as revenue_180,
        coalesce(sum(net_revenue) filter (days_ago <= 365), 0) as revenue_365,
        median(gap) as median_gap, sum(gap * gap) as squared_gaps, max(gap) as longest_gap,
        max(gap) filter (ordered_day = last_day) as last_gap,
        count(*) filter ((ordered_day + 3) % 7 >= 5) as weekend_orders,
        sum(units_count) as units, sum(products_count) as products,
        count(*) filter (is_discounted) as discounted_orders, sum(discount_amount) as discount,
        bool_or(is_last and has_refund) as has_refund_on_last
    from orders group by customer_id
),
shop as (
    select cast(sum(revenue) as double) / sum(orders) as mean_order,
        coalesce(cast(sum(age - since_last) as double) / nullif(cast(sum(gaps) as double), 0), {churn_days}) as mean_gap
    from sums
),
refunds_of_customers as (
    select customer_id, count(distinct refund_id) as refunds, sum(amount) as amount, min({as_of_day} - refunded_day) as since_refund
    from refunds inner join customer_orders using (order_id) where refunded_day < {as_of_day} group by customer_id
),
movements as (
    select customer_id, product_id, is_last, category, quantity, order_lines.net_revenue, false as is_refund
    from kept_orders inner join order_lines using (order_id)
    union all
    select customer_id, product_id, is_last, null, -quantity, -amount, true
    from kept_orders inner join refunds using (order_id) where product_id is not null and refunded_day < {as_of_day}
),
products as (
    select customer_id, product_id, max(category) as category, sum(net_revenue) as revenue,
        sum(case when is_last then net_revenue else 0 end) as last_revenue, bool_or(is_last and not is_refund) as is_in_last
    from movements group by customer_id, product_id having sum(quantity) > 0 or not bool_or(is_refund)
),
categories as (
    select customer_id, category, count(*) as products, sum(revenue) as revenue, sum(last_revenue) as last_revenue,
        bool_or(is_in_last) as is_in_last
    from products group by customer_id, category
),
baskets as (
    select customer_id, sum(products) as basket_products, count(*) as basket_categories, sum(revenue) as basket_revenue,
        arg_min(category, (-revenue, category)) as top_category, max(revenue) as top_revenue,
        arg_min(category, (-last_revenue, category)) filter (is_in_last) as last_category
    from categories group by customer_id
)
select
    customer_id, age as customer_age_days, since_last as days_since_last_order, orders as orders_count,
    orders - 1 as repeat_orders_count, gaps as repeat_order_days_count, age - since_last as active_span_days,
    orders_30 as orders_30d_count, orders_90 as orders_90d_count, orders_180 as orders_180d_count, orders_365 as orders_365d_count,
    active_months as active_months_365d_count, cast(revenue as double) as historic_value,
    cast(revenue as double) / orders as average_order_value, cast(last_value as double) as last_order_value,
    cast(dearest as double) as max_order_value,
    sqrt(greatest(cast(orders * squared - rounded * rounded as double), 0)) / orders as order_value_stddev,
    cast(revenue_30 as double) as net_revenue_30d, cast(revenue_90 as double) as net_revenue_90d,
    cast(revenue_180 as double) as net_revenue_180d, cast(revenue_365 as double) as net_revenue_365d,
    cast(revenue as double) / orders * orders_per_year * {lifespan_years} as formula_value,
    cast(age - since_last as double) / nullif(gaps, 0) as mean_gap_days, cast(median_gap as double) as median_gap_days,
    sqrt(cast(gaps * squared_gaps - (age - since_last) * (age - since_last) as double)) / nullif(gaps, 0) as gap_days_stddev,
    last_gap as last_gap_days, longest_gap as max_gap_days, usual_gap as usual_gap_days,
    since_last / usual_gap as overdue_ratio, since_last - usual_gap as overdue_days, orders_per_year,
    cast(orders_90 + 1 as double) / (orders_180 - orders_90 + 1) as orders_trend_ratio,
    case when mean_order > 0 and revenue_90 >= 0 and revenue_180 >= revenue_90
        then (cast(revenue_90 as double) + mean_order) / (cast(revenue_180 - revenue_90 as double) + mean_order) else 1
    end as net_revenue_trend_ratio,
    last_year as orders_same_season_last_year_count, cast(weekend_orders as double) / orders as weekend_orders_share,
    cast(units as double) / orders as average_basket_units, cast(products as double) / orders as average_basket_products,
    coalesce(basket_products, 0) as distinct_products_count,
    coalesce(basket_categories, 0) as distinct_categories_count, top_category,
    coalesce(case when basket_revenue > 0
        then greatest(least(cast(top_revenue as double) / cast(basket_revenue as double), 1), 0) end, 0) as top_category_share,
    last_category, cast(discounted_orders as double) / orders as discounted_orders_share,
    case when discount > 0 and revenue >= 0 then cast(discount as double) / cast(revenue + discount as double) else 0 end as discount_share,
    coalesce(refunds, 0) as refunds_count,
    case when amount > 0 and revenue >= 0 then cast(amount as double) / (cast(revenue as double) + cast(amount as double)) else 0
    end as refunded_share,
    since_refund as days_since_last_refund, has_refund_on_last as has_refund_on_last_order
from (
    select *, (age - since_last + mean_gap) / (gaps + 1) as usual_gap,
        orders * 365.0 / cast(greatest(age, 30) as double) as orders_per_year
    from sums cross join shop
) as sums
left join refunds_of_customers using (customer_id)
left join baskets using (customer_id)
"""

MATCHES = """
create temporary table matches as
select customer_id, segment from ({fits}) inner join segments using (segment)
where substr(md5(concat(?, ':', segment, ':', customer_id)), 1, 8) >= threshold
"""

LISTS = """
create temporary table lists as
with permissions as (
    select customer_id, channel, case when bool_or(status = 'denied') then 'denied' else 'granted' end as permission
    from (
        select customer_id, channel, arg_min(status, (-epoch_us(changed_at), status)) as status
        from consents inner join guests using (address) inner join persons using (address)
        where account_id is null group by customer_id, channel, address
        union all
        select customer_id, channel, arg_min(status, (-epoch_us(changed_at), status))
        from consents inner join account_persons using (account_id) group by customer_id, channel, account_id
    ) group by customer_id, channel
),
held as (
    select segment, customer_id, yesterday.entered_on, yesterday.expires_on
    from yesterday inner join segments using (segment) inner join features using (customer_id)
    where is_transient and yesterday.expires_on >= $as_of and days_since_last_order > $as_of - yesterday.entered_on
),
fitting as (
    select segment, customer_id, coalesce(yesterday.entered_on, $as_of) as entered_on, segments.expires_on
    from matches inner join segments using (segment) left join yesterday using (segment, customer_id)
    where not is_transient or yesterday.customer_id is null
),
members as (
    select segment, customer_id, entered_on, membership.expires_on, churn_probability, expected_value, value_at_risk, channel
    from (select * from held union all select * from fitting) as membership
    inner join scores using (customer_id) inner join segments using (segment)
    qualify row_number() over (
        partition by segment order by case when entered_on < $as_of then 0 else 1 end, value_at_risk desc, customer_id
    ) <= size_cap
),
candidates as (
    select segment, customer_id, segments.offer, segments.valid_until,
        row_number() over (partition by customer_id, members.channel order by priority, segment) as place
    from members inner join permissions using (customer_id, channel) inner join segments using (segment, channel)
    where permission = 'granted' and customer_id not in (select customer_id from yesterday where offer is not null)
)
select segment, customer_id, case when permission = 'granted' then address end as email,
    coalesce(permission, 'unknown') as contact_permission, entered_on, members.expires_on,
    cast(churn_probability as decimal(5, 4)) as churn_probability,
    cast(expected_value as decimal(18, 2)) as expected_value, cast(value_at_risk as decimal(18, 2)) as value_at_risk,
    'EUR' as currency, candidates.offer, candidates.valid_until as offer_valid_until, value_at_risk as rank
from members
left join permissions using (customer_id, channel)
left join (select address, customer_id from persons) using (customer_id)
left join (select * from candidates where place = 1) as candidates using (segment, customer_id)
"""

SHOWN = """
select lists.* exclude (segment, rank), favourite_category, cast(category_affinity as decimal(5, 4)) as category_affinity,
    next_product, next_product_ids, new_product, new_product_id,
    reason_1, reason_2, reason_3, likely_reason_for_leaving, leaving_evidence
from lists
left join scores using (customer_id)
left join scores.next_products using (customer_id)
left join scores.customer_reasons using (customer_id)
"""
