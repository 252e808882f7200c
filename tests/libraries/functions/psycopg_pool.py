import psycopg_pool

pool = psycopg_pool.ConnectionPool(
    "host=127.0.0.1 port=9 connect_timeout=1", min_size=0, max_size=2, open=True, timeout=0.05
)


def handler(event, context):
    try:
        pool.getconn()
    except psycopg_pool.PoolTimeout:
        failure = "PoolTimeout"
    figures = pool.get_stats()
    return [failure, figures["requests_num"], figures["requests_errors"], pool.name]
