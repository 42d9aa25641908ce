temporal-sql-tool setup-schema --version 0.0
temporal-sql-tool update-schema --schema-dir /etc/temporal/schema/postgresql/v12/temporal/versioned
until temporal-sql-tool --endpoint "$SERVERS_HOST" --port "$SERVERS_PORT" --connect-attributes "$SERVERS_ATTRIBUTES" update-schema --schema-dir /etc/temporal/schema/postgresql/v12/temporal/versioned; do sleep 1; done
temporal-sql-tool setup-schema --version 0.0
temporal-sql-tool update-schema --schema-dir /etc/temporal/schema/postgresql/v12/visibility/versioned
until temporal-sql-tool --endpoint "$SERVERS_HOST" --port "$SERVERS_PORT" --connect-attributes "$SERVERS_ATTRIBUTES" update-schema --schema-dir /etc/temporal/schema/postgresql/v12/visibility/versioned; do sleep 1; done
