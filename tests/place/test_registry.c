/* tests/place/test_registry.c - a registry opened, and logged in to. */
#include "place/registry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "place/registry_bed.h"

/* ---- opening ---- */

static int open_at(const char *location, uint32_t flags, mlr_place **out, mlreg_error **err)
{
    mlreg_session_options o;
    mlr_runtime          *rt = NULL;
    int                   rc;

    MLREG_INIT(o);
    o.flags = flags;
    assert_int_equal(mlr_runtime_new(NULL, &rt, NULL), 0);
    rc = mlr_registry_open(location, &o, rt, NULL, out, err);
    mlr_runtime_unref(rt);
    return rc;
}

static void test_registry_open__knows_where_the_api_is(void **state)
{
    static const struct { const char *location; uint32_t flags; const char *name, *base; } cases[] = {
        {"https://ghcr.io", 0, "ghcr.io", "https://ghcr.io"},
        {"https://ghcr.io/", 0, "ghcr.io", "https://ghcr.io"},
        {"https://GHCR.io:443", 0, "ghcr.io", "https://ghcr.io"},
        {"https://reg.example:5000", 0, "reg.example:5000", "https://reg.example:5000"},
        {"http://127.0.0.1:5000", 0, "127.0.0.1:5000", "http://127.0.0.1:5000"},
        {"http://localhost", 0, "localhost", "http://localhost"},
        {"http://[::1]:5000", 0, "[::1]:5000", "http://[::1]:5000"},
        {"https://reg.example", MLREG_OPEN_PLAIN_HTTP, "reg.example", "http://reg.example"},
        {"https://reg.example:5000", MLREG_OPEN_PLAIN_HTTP, "reg.example:5000", "http://reg.example:5000"},
        {"http://reg.example", MLREG_OPEN_PLAIN_HTTP, "reg.example", "http://reg.example"},
        {"https://docker.io", 0, "docker.io", "https://registry-1.docker.io"},
        {"https://index.docker.io", 0, "docker.io", "https://registry-1.docker.io"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        mlr_place *p = NULL;

        assert_int_equal(open_at(cases[i].location, cases[i].flags, &p, NULL), 0);
        assert_string_equal(p->name, cases[i].name);
        assert_string_equal(((mlr_registry *)p)->base, cases[i].base);
        mlr_place_close(p);
    }
}

static void test_registry_open__refuses_what_is_no_location(void **state)
{
    static const struct { const char *location; int rc; } cases[] = {
        {"http://reg.example", MLREG_EDENIED},      {"https://reg.example/team/x", MLREG_EINVAL},
        {"https://", MLREG_EINVAL},                 {"https://ann:secret@reg.example", MLREG_EINVAL},
        {"https://reg.example:0x50", MLREG_EINVAL}, {"https://reg.example/?x", MLREG_EINVAL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        mlr_place   *p = NULL;
        mlreg_error *err = NULL;

        assert_int_equal(open_at(cases[i].location, 0, &p, &err), cases[i].rc);
        assert_null(p);
        assert_null(strstr(err->message, "secret"));
        mlr_error_done(err);
    }
}

static void test_registry_open__tells_one_origin_from_another(void **state)
{
    mlr_place *a = NULL, *b = NULL, *c = NULL;

    (void)state;
    assert_int_equal(open_at("https://docker.io", 0, &a, NULL), 0);
    assert_int_equal(open_at("https://registry-1.docker.io", 0, &b, NULL), 0);
    assert_int_equal(open_at("https://docker.io:8443", 0, &c, NULL), 0);
    assert_true(a->identity == b->identity);
    assert_true(a->identity != c->identity);
    mlr_place_close(a);
    mlr_place_close(b);
    mlr_place_close(c);
}

static void test_registry_open__puts_official_repositories_into_the_library(void **state)
{
    mlr_place *hub = NULL, *other = NULL;
    char      *name;

    (void)state;
    assert_int_equal(open_at("https://docker.io", 0, &hub, NULL), 0);
    assert_int_equal(open_at("https://ghcr.io", 0, &other, NULL), 0);
    name = mlr_registry_repo((mlr_registry *)hub, "alpine");
    assert_string_equal(name, "library/alpine");
    mlr_free(name);
    name = mlr_registry_repo((mlr_registry *)hub, "team/alpine");
    assert_string_equal(name, "team/alpine");
    mlr_free(name);
    name = mlr_registry_repo((mlr_registry *)other, "alpine");
    assert_string_equal(name, "alpine");
    mlr_free(name);
    mlr_place_close(hub);
    mlr_place_close(other);
}

/* ---- logging in ---- */

#define WANTS_ANN "{'path':'/v2/','header':{'Authorization':'Basic " SECRET_SENT "'}}," \
                  "{'status':401,'headers':{'WWW-Authenticate':'Basic realm=`x`'}}"

static void test_registry_login__keeps_what_the_registry_accepts(void **state)
{
    registry_bed *b = *state;
    char         *where = NULL, *file = bed_path(b->home, "config.json"), text[4096] = "";
    FILE         *f;

    bed_registry(b, "[" WANTS_ANN "]");
    assert_int_equal(mlr_place_login(b->place, "ann", SECRET, NULL, &where, &b->err), 0);
    assert_string_equal(where, file);
    assert_non_null(f = fopen(file, "re"));
    assert_true(fread(text, 1, sizeof text - 1, f) > 0);
    fclose(f);
    assert_non_null(strstr(text, b->evil.host));
    assert_non_null(strstr(text, SECRET_SENT));
    mlr_free(where);
    free(file);
}

static void test_registry_login__keeps_nothing_that_is_refused(void **state)
{
    registry_bed *b = *state;
    char         *where = NULL, *file = bed_path(b->home, "config.json");

    bed_registry(b, "[" WANTS_ANN "]");
    assert_int_equal(mlr_place_login(b->place, "ann", "wrong", NULL, &where, &b->err), MLREG_EAUTH);
    assert_null(where);
    assert_null(fopen(file, "re"));
    free(file);
}

static void test_registry_login__wants_a_registry(void **state)
{
    registry_bed *b = *state;
    char         *where = NULL;

    bed_registry(b, "[]");
    assert_int_equal(mlr_place_login(b->place, "ann", SECRET, NULL, &where, &b->err), MLREG_ENOTFOUND);
}

static void test_registry_logout__forgets_once(void **state)
{
    registry_bed *b = *state;
    char         *where = NULL;

    bed_registry(b, "[" WANTS_ANN "]");
    assert_int_equal(mlr_place_login(b->place, "ann", SECRET, NULL, &where, &b->err), 0);
    mlr_free(where);
    where = NULL;
    assert_int_equal(mlr_place_login(b->place, NULL, NULL, NULL, &where, &b->err), 0);
    mlr_free(where);
    where = NULL;
    assert_int_equal(mlr_place_login(b->place, NULL, NULL, NULL, &where, &b->err), MLREG_ENOTFOUND);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_registry_open__knows_where_the_api_is),
        cmocka_unit_test(test_registry_open__refuses_what_is_no_location),
        cmocka_unit_test(test_registry_open__tells_one_origin_from_another),
        cmocka_unit_test(test_registry_open__puts_official_repositories_into_the_library),
        registry_test(test_registry_login__keeps_what_the_registry_accepts),
        registry_test(test_registry_login__keeps_nothing_that_is_refused),
        registry_test(test_registry_login__wants_a_registry),
        registry_test(test_registry_logout__forgets_once),
    };

    return cmocka_run_group_tests_name("place/registry", tests, NULL, NULL);
}
