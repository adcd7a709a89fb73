-- The directory in a database: who the users are, and what they may read.
-- {schema} stands for the schema, quoted; run it in one transaction.

CREATE SCHEMA IF NOT EXISTS {schema};

CREATE TABLE {schema}.organizations (
    id text PRIMARY KEY CHECK (id <> ''),
    name text NOT NULL DEFAULT '',
    -- The organization above; none for a root.
    parent_id text REFERENCES {schema}.organizations (id) DEFERRABLE,
    -- An inactive organization grants nothing and isn't walked through.
    active boolean NOT NULL DEFAULT true,
    -- Whatever it is, one that has it is treated as though it were gone.
    deleted_at timestamptz
);

CREATE TABLE {schema}.organization_practices (
    organization_id text NOT NULL REFERENCES {schema}.organizations (id) ON DELETE CASCADE,
    -- As the practice column prints it: '114'.
    practice_id text NOT NULL CHECK (practice_id <> ''),
    PRIMARY KEY (organization_id, practice_id)
);

CREATE TABLE {schema}.roles (
    id text PRIMARY KEY CHECK (id <> ''),
    name text NOT NULL DEFAULT '',
    active boolean NOT NULL DEFAULT true,
    deleted_at timestamptz
);

CREATE TABLE {schema}.role_permissions (
    role_id text NOT NULL REFERENCES {schema}.roles (id) ON DELETE CASCADE,
    -- 'analytics:read:organization'; what has another prefix than ours is left alone.
    permission text NOT NULL CHECK (permission <> ''),
    PRIMARY KEY (role_id, permission)
);

CREATE TABLE {schema}.users (
    id text PRIMARY KEY CHECK (id <> ''),
    name text NOT NULL DEFAULT '',
    active boolean NOT NULL DEFAULT true,
    deleted_at timestamptz
);

CREATE TABLE {schema}.user_organizations (
    user_id text NOT NULL REFERENCES {schema}.users (id) ON DELETE CASCADE,
    organization_id text NOT NULL REFERENCES {schema}.organizations (id) ON DELETE CASCADE,
    PRIMARY KEY (user_id, organization_id)
);

CREATE TABLE {schema}.user_roles (
    user_id text NOT NULL REFERENCES {schema}.users (id) ON DELETE CASCADE,
    role_id text NOT NULL REFERENCES {schema}.roles (id) ON DELETE CASCADE,
    -- Where the role holds: in this organization and below it; everywhere if none is named.
    organization_id text REFERENCES {schema}.organizations (id) ON DELETE CASCADE,
    -- The first moment at which it no longer holds.
    expires_at timestamptz
);
CREATE UNIQUE INDEX user_roles_once
    ON {schema}.user_roles (user_id, role_id, coalesce(organization_id, ''));

CREATE TABLE {schema}.user_providers (
    user_id text NOT NULL REFERENCES {schema}.users (id) ON DELETE CASCADE,
    -- Where the user is this provider; none says that the id is the same person everywhere.
    practice_id text CHECK (practice_id <> ''),
    provider_id text NOT NULL CHECK (provider_id <> '')
);
CREATE UNIQUE INDEX user_providers_once
    ON {schema}.user_providers (user_id, coalesce(practice_id, ''), provider_id);

-- Every process that keeps the directory hears of a change as it is committed.
CREATE FUNCTION {schema}.announce_directory() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('warmcube_directory', TG_TABLE_SCHEMA);
    RETURN NULL;
END
$$;

CREATE TRIGGER announce AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON {schema}.organizations
    FOR EACH STATEMENT EXECUTE FUNCTION {schema}.announce_directory();
CREATE TRIGGER announce AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE
    ON {schema}.organization_practices
    FOR EACH STATEMENT EXECUTE FUNCTION {schema}.announce_directory();
CREATE TRIGGER announce AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON {schema}.roles
    FOR EACH STATEMENT EXECUTE FUNCTION {schema}.announce_directory();
CREATE TRIGGER announce AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON {schema}.role_permissions
    FOR EACH STATEMENT EXECUTE FUNCTION {schema}.announce_directory();
CREATE TRIGGER announce AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON {schema}.users
    FOR EACH STATEMENT EXECUTE FUNCTION {schema}.announce_directory();
CREATE TRIGGER announce AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON {schema}.user_organizations
    FOR EACH STATEMENT EXECUTE FUNCTION {schema}.announce_directory();
CREATE TRIGGER announce AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON {schema}.user_roles
    FOR EACH STATEMENT EXECUTE FUNCTION {schema}.announce_directory();
CREATE TRIGGER announce AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON {schema}.user_providers
    FOR EACH STATEMENT EXECUTE FUNCTION {schema}.announce_directory();
