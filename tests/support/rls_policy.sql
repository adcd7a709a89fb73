-- Who sees what, said a second time: as row-level security over the tables of the directory, for a
-- database role per user whose name is the user's id. Written from the design's words (§6 Access);
-- nothing of warmcube's has a hand in it.
--
-- The functions are in PL/pgSQL, since that keeps their plans; a policy calls each once for a
-- statement, in a sub-select of its own.

CREATE SCHEMA isolation;

-- A data source of the trial, and its table facts.t<id>.
CREATE TABLE isolation.datasources (
    id integer PRIMARY KEY,
    door text[],  -- the roles for which it exists; NULL for everybody
    has_practice boolean NOT NULL,
    has_provider boolean NOT NULL
);

-- Numbers the changes of the directory.
CREATE SEQUENCE isolation.moves;

CREATE VIEW isolation.me AS
    SELECT id FROM warmcube.users
    WHERE id = current_user::text AND active AND deleted_at IS NULL;

CREATE VIEW isolation.standing_organizations AS
    SELECT id, parent_id FROM warmcube.organizations
    WHERE active AND deleted_at IS NULL;

-- Each organization, and what lies below it; what doesn't stand isn't walked through.
CREATE VIEW isolation.subtrees AS
    WITH RECURSIVE walk (top, organization) AS (
        SELECT id, id FROM isolation.standing_organizations
        UNION
        SELECT walk.top, child.id
        FROM walk
        JOIN isolation.standing_organizations child ON child.parent_id = walk.organization
    )
    SELECT top, organization FROM walk;

-- My roles in force; bound is the organization that one is limited to.
CREATE VIEW isolation.my_roles AS
    SELECT held.role_id AS role, held.organization_id AS bound
    FROM isolation.me
    JOIN warmcube.user_roles held ON held.user_id = me.id
    JOIN warmcube.roles ON roles.id = held.role_id
    WHERE roles.active AND roles.deleted_at IS NULL
      AND (held.expires_at IS NULL OR now() < held.expires_at);

CREATE VIEW isolation.my_rights AS
    SELECT split_part(given.permission, ':', 3) AS scope, mine.bound
    FROM isolation.my_roles mine
    JOIN warmcube.role_permissions given ON given.role_id = mine.role
    WHERE given.permission IN
        ('analytics:read:all', 'analytics:read:organization', 'analytics:read:own');

-- The organizations in which a right of each scope holds: its role must hold there, and unless the
-- scope is all, I must belong there.
CREATE VIEW isolation.my_reach AS
    SELECT DISTINCT held.scope, there.id AS organization
    FROM isolation.my_rights held
    CROSS JOIN isolation.standing_organizations there
    WHERE (held.bound IS NULL
           OR (held.bound, there.id) IN (SELECT top, organization FROM isolation.subtrees))
      AND (held.scope = 'all'
           OR there.id IN (
               SELECT below.organization
               FROM warmcube.user_organizations home
               JOIN isolation.subtrees below ON below.top = home.organization_id
               WHERE home.user_id = current_user::text));

-- The organizations to which the door of a data source stands open for me.
CREATE VIEW isolation.my_doors AS
    SELECT datasource.id AS datasource, there.id AS organization
    FROM isolation.datasources datasource
    CROSS JOIN isolation.standing_organizations there
    WHERE datasource.door IS NULL
       OR EXISTS (
           SELECT FROM isolation.my_roles key
           WHERE key.role = ANY (datasource.door)
             AND (key.bound IS NULL
                  OR (key.bound, there.id) IN (SELECT top, organization FROM isolation.subtrees)));

-- Without a condition on organizations, as for a practice that lies in none.
CREATE FUNCTION isolation.door_is_wide_open(which integer) RETURNS boolean
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (
        SELECT datasource.door IS NULL OR EXISTS (
            SELECT FROM isolation.my_roles key
            WHERE key.role = ANY (datasource.door) AND key.bound IS NULL)
        FROM isolation.datasources datasource WHERE datasource.id = which);
END $$;

CREATE FUNCTION isolation.sees_everything(which integer) RETURNS boolean
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN isolation.door_is_wide_open(which)
       AND EXISTS (SELECT FROM isolation.my_rights held WHERE held.scope = 'all' AND held.bound IS NULL);
END $$;

-- The practices that rights of some scopes reach in a data source. Without a practice column
-- nothing can be told to lie in an organization; without a provider column nothing to be one's own.
CREATE FUNCTION isolation.practices_reached(which integer, scopes text[]) RETURNS text[]
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN coalesce((
        SELECT array_agg(DISTINCT held.practice_id)
        FROM isolation.my_reach reach
        JOIN warmcube.organization_practices held ON held.organization_id = reach.organization
        JOIN isolation.datasources datasource ON datasource.id = which
        WHERE reach.scope = ANY (scopes)
          AND datasource.has_practice
          AND (reach.scope <> 'own' OR datasource.has_provider)
          AND held.practice_id IN (
              SELECT behind.practice_id
              FROM isolation.my_doors door
              JOIN warmcube.organization_practices behind
                ON behind.organization_id = door.organization
              WHERE door.datasource = which)
    ), '{}');
END $$;

-- The practices and providers that are me. A binding without a practice holds in every one.
CREATE FUNCTION isolation.my_own(which integer)
RETURNS TABLE (practice text, provider text)
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN QUERY
    SELECT reached.id, mine.provider_id
    FROM unnest(isolation.practices_reached(which, '{own}')) AS reached (id)
    JOIN warmcube.user_providers mine
      ON mine.practice_id IS NULL OR mine.practice_id = reached.id
    WHERE mine.user_id = current_user::text;
END $$;

CREATE FUNCTION isolation.practices_of(named text) RETURNS text[]
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN coalesce((
        SELECT array_agg(held.practice_id)
        FROM isolation.subtrees below
        JOIN warmcube.organization_practices held ON held.organization_id = below.organization
        WHERE below.top = named
    ), '{}');
END $$;

-- The scopes in which I may read anything, for telling what a trial has tried.
CREATE FUNCTION isolation.my_scopes() RETURNS text
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (SELECT string_agg(DISTINCT held.scope, ' + ') FROM isolation.my_rights held);
END $$;

-- Denials, which no policy on rows can express.

CREATE FUNCTION isolation.may_enter() RETURNS boolean
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN EXISTS (SELECT FROM isolation.my_rights);
END $$;

CREATE FUNCTION isolation.exists_for_me(which integer) RETURNS boolean
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN isolation.door_is_wide_open(which)
        OR EXISTS (SELECT FROM isolation.my_doors door WHERE door.datasource = which);
END $$;

CREATE FUNCTION isolation.may_read(which integer) RETURNS boolean
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN isolation.sees_everything(which) OR EXISTS (
        SELECT FROM isolation.my_rights held
        JOIN isolation.datasources datasource ON datasource.id = which
        WHERE datasource.has_practice AND (held.scope <> 'own' OR datasource.has_provider));
END $$;

CREATE FUNCTION isolation.nameable_practices(which integer) RETURNS text[]
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN isolation.practices_reached(which, '{all,organization,own}');
END $$;

CREATE FUNCTION isolation.nameable_organizations(which integer) RETURNS text[]
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN coalesce((
        SELECT array_agg(DISTINCT reach.organization)
        FROM isolation.my_reach reach
        JOIN isolation.my_doors door USING (organization)
        JOIN isolation.datasources datasource ON datasource.id = door.datasource
        WHERE datasource.id = which
          AND datasource.has_practice
          AND (reach.scope <> 'own' OR datasource.has_provider)
    ), '{}');
END $$;

CREATE FUNCTION isolation.my_providers() RETURNS text[]
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN coalesce((
        SELECT array_agg(DISTINCT mine.provider_id)
        FROM warmcube.user_providers mine WHERE mine.user_id = current_user::text
    ), '{}');
END $$;

CREATE FUNCTION isolation.may_name_practice(which integer, named text) RETURNS boolean
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN isolation.sees_everything(which)
        OR named = ANY (isolation.nameable_practices(which));
END $$;

CREATE FUNCTION isolation.may_name_organization(which integer, named text) RETURNS boolean
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN named = ANY (isolation.nameable_organizations(which));
END $$;

-- Whoever has more than their own rows may name any provider.
CREATE FUNCTION isolation.may_name_provider(which integer, named text) RETURNS boolean
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN EXISTS (SELECT FROM isolation.my_rights held WHERE held.scope <> 'own')
        OR named = ANY (isolation.my_providers());
END $$;

-- How a query may end: {rows}, or the errors of which it has to be one. NULL names nothing.
CREATE FUNCTION isolation.endings(
    which integer, organization text, practices text[], providers text[]
) RETURNS text[]
LANGUAGE plpgsql STABLE AS $$
DECLARE
    datasource isolation.datasources;
    errors text[] := '{}';
BEGIN
    SELECT * INTO datasource FROM isolation.datasources WHERE id = which;
    IF NOT isolation.may_enter() THEN
        RETURN '{AccessDenied}';
    ELSIF NOT isolation.exists_for_me(which) THEN
        RETURN '{UnknownDatasource}';
    ELSIF NOT isolation.may_read(which) THEN
        RETURN '{AccessDenied}';
    END IF;
    IF (NOT datasource.has_practice AND (organization IS NOT NULL OR practices IS NOT NULL))
       OR (NOT datasource.has_provider AND providers IS NOT NULL) THEN
        errors := errors || '{MissingRole}';
    END IF;
    IF (organization IS NOT NULL AND NOT isolation.may_name_organization(which, organization))
       OR (NOT isolation.sees_everything(which)
           AND NOT practices <@ isolation.nameable_practices(which))
       OR EXISTS (
           SELECT FROM unnest(providers) AS named
           WHERE NOT isolation.may_name_provider(which, named)) THEN
        errors := errors || '{AccessDenied}';
    END IF;
    RETURN CASE WHEN errors = '{}' THEN '{rows}' ELSE errors END;
END $$;

-- What a world must have so that a trial in it says much.
CREATE VIEW isolation.oddities AS
    SELECT 'practices in several organizations' AS what, count(*) FROM (
        SELECT FROM warmcube.organization_practices GROUP BY practice_id HAVING count(*) > 1) found
    UNION ALL
    SELECT 'users in several organizations', count(*) FROM (
        SELECT FROM warmcube.user_organizations GROUP BY user_id HAVING count(*) > 1) found
    UNION ALL
    SELECT 'users with several roles', count(*) FROM (
        SELECT FROM warmcube.user_roles GROUP BY user_id HAVING count(*) > 1) found
    UNION ALL
    SELECT 'roles held for one organization', count(organization_id) FROM warmcube.user_roles
    UNION ALL
    SELECT 'expired roles', count(*) FROM warmcube.user_roles WHERE expires_at <= now()
    UNION ALL
    SELECT 'roles that are yet to expire', count(*) FROM warmcube.user_roles WHERE expires_at > now()
    UNION ALL
    SELECT 'inactive users', count(*) FROM warmcube.users WHERE NOT active
    UNION ALL
    SELECT 'deleted users', count(deleted_at) FROM warmcube.users
    UNION ALL
    SELECT 'inactive organizations with one below', count(*) FROM warmcube.organizations above
    WHERE NOT active AND EXISTS (
        SELECT FROM warmcube.organizations below WHERE below.parent_id = above.id)
    UNION ALL
    SELECT 'deleted organizations', count(deleted_at) FROM warmcube.organizations
    UNION ALL
    SELECT 'organizations without practices', count(*) FROM warmcube.organizations
    WHERE id NOT IN (SELECT organization_id FROM warmcube.organization_practices)
    UNION ALL
    SELECT 'providers bound to a practice', count(practice_id) FROM warmcube.user_providers
    UNION ALL
    SELECT 'several roots', count(*) - 1 FROM warmcube.organizations WHERE parent_id IS NULL;

GRANT USAGE ON SCHEMA isolation, warmcube TO PUBLIC;
GRANT SELECT ON ALL TABLES IN SCHEMA isolation, warmcube TO PUBLIC;
