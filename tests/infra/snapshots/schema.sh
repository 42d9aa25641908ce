temporal-sql-tool setup-schema --version 0.0
temporal-sql-tool update-schema --schema-dir /etc/temporal/schema/postgresql/v12/temporal/versioned
temporal-sql-tool setup-schema --version 0.0
temporal-sql-tool update-schema --schema-dir /etc/temporal/schema/postgresql/v12/visibility/versioned
