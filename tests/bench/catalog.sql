-- The schema as lines, without order of columns and bodies of functions, and which migrations are recorded: two ways that end the same
-- have the same listing.
SELECT line FROM (
    SELECT format('column %s.%s %s %s %s', c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, pg_get_expr(d.adbin, d.adrelid)) AS line
      FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid AND c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace
      LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum WHERE a.attnum > 0 AND NOT a.attisdropped
    UNION ALL
    SELECT format('index %s %s', pg_get_indexdef(i.indexrelid), i.indisvalid)
      FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid AND c.relnamespace = current_schema()::regnamespace
    UNION ALL
    SELECT format('constraint %s %s %s %s', c.relname, k.conname, pg_get_constraintdef(k.oid), k.convalidated)
      FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid AND c.relnamespace = current_schema()::regnamespace
    UNION ALL
    SELECT 'trigger ' || pg_get_triggerdef(t.oid)
      FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid AND c.relnamespace = current_schema()::regnamespace WHERE NOT t.tgisinternal
    UNION ALL
    SELECT format('function %s(%s)', p.proname, pg_get_function_identity_arguments(p.oid))
      FROM pg_proc p WHERE p.pronamespace = current_schema()::regnamespace
    UNION ALL
    SELECT format('migration %s %s %s', m.subsystem, each, m.pending) FROM schema_meta m, unnest(m.executed) AS each
) AS listing ORDER BY line COLLATE "C";
