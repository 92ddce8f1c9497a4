/* tests/net/test_auth_real.c - logins at real registries: htpasswd, and tokens of a server at another port.
 * Skipped unless bed/with-registries named them. */
#include "net/client.h"

#include "base/alloc.h"
#include "net/creds_bed.h"
#include "net/http_bed.h"

#define SCOPE "repository:auth/test:pull,push"

static creds_bed    home;
static mlr_runtime *rt;
static mlr_client  *client;
static mlreg_error *err;
static const char  *host, *user, *password;

static int setup(void **state)
{
    (void)state;
    creds_bed_make(&home);
    assert_int_equal(mlr_runtime_new(NULL, &rt, NULL), 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    mlr_client_free(client);
    client = NULL;
    mlr_runtime_unref(rt);
    mlr_error_done(err);
    err = NULL;
    creds_bed_remove(&home);
    return 0;
}

static const char *variable(const char *name, const char *part)
{
    char text[128];

    snprintf(text, sizeof text, "MLREG_TEST_REGISTRY_%s%s", name, part);
    return getenv(text);
}

/* Opens the registry of that name, which main has found to be there. */
static void open_registry(const char *name)
{
    const mlr_client_options o = {0};
    const char              *url = variable(name, "");

    assert_non_null(url);
    user = variable(name, "_USER");
    password = variable(name, "_PASSWORD");
    host = strstr(url, "//") + 2;
    assert_int_equal(mlr_client_new(rt, url, host, &o, &client, NULL), 0);
}

/* Begins an upload, which needs the right to push: the status, or the error. */
static int push(void)
{
    const mlr_call call = {.request = {.method = "POST", .url = "/v2/auth/test/blobs/uploads/"}, .scope = SCOPE};
    mlr_exchange  *x = NULL;
    int            rc, status;

    mlr_error_done(err);
    err = NULL;
    if ((rc = mlr_client_begin(client, &call, NULL, &x, &err)) < 0)
        return rc;
    if ((status = mlr_exchange_status(x)) == 401)
        status = mlr_client_refused(client, x, "the upload", NULL, &err);
    mlr_exchange_free(x);
    return status;
}

static void assert_needs_a_login(const char *name)
{
    open_registry(name);
    assert_int_equal(push(), MLREG_EAUTH);
    assert_non_null(strstr(err->hint, "log in to "));
    assert_non_null(strstr(err->hint, "/home/.docker/config.json (not there)"));
    assert_int_equal(mlr_creds_store(host, user, "wrong-one", NULL, NULL, NULL), 0);
    assert_int_equal(push(), MLREG_EAUTH);
    assert_non_null(strstr(err->hint, "/home/.docker/config.json were refused: log in to "));
    assert_null(strstr(err->message, "wrong-one"));
    assert_int_equal(mlr_creds_store(host, user, password, NULL, NULL, NULL), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(push(), 202);
}

static void test_auth_real__htpasswd(void **state)
{
    (void)state;
    assert_needs_a_login("HTPASSWD");
}

static void test_auth_real__tokens_for_name_and_password(void **state)
{
    (void)state;
    assert_needs_a_login("TOKEN");
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_auth_real__##name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(htpasswd),
        TEST(tokens_for_name_and_password),
    };

    if (variable("HTPASSWD", "") == NULL || variable("TOKEN", "") == NULL) {
        puts("1..0 # SKIP no registries htpasswd and token: run under bed/with-registries");
        return 0;
    }
    return cmocka_run_group_tests_name("net/auth_real", tests, NULL, NULL);
}
