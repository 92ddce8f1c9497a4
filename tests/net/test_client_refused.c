/* tests/net/test_client_refused.c - unwelcome answers: which error each is, what of the body is told, and what to do. */
#include "net/client.h"

#include "net/auth_bed.h"

static creds_bed       home;
static struct http_bed b;
static mlr_client     *client;

static int setup(void **state)
{
    (void)state;
    creds_bed_make(&home);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    mlr_client_free(client);
    client = NULL;
    http_bed_close(&b);
    creds_bed_remove(&home);
    return 0;
}

static void open_client(const char *text)
{
    mlr_client_options once = {.max_retries = (uint32_t)MLREG_NONE, .http = {.stall_timeout_ms = 20000}};

    http_bed_open(&b, script(text), NULL);
    assert_int_equal(mlr_client_new(b.rt, b.evil.url, "registry.example", &once, &client, NULL), 0);
}

/* Asks, and makes the answer the error in b.err. */
static int refused(const char *url)
{
    mlr_exchange *x = NULL;
    int           rc;

    http_bed_clear(&b);
    rc = mlr_client_begin(client, &(mlr_call){.request = {.method = "GET", .url = url}, .follow = true}, b.op, &x, &b.err);
    assert_int_equal(rc, 0);
    rc = mlr_client_refused(client, x, "cannot read team/x", b.op, &b.err);
    mlr_exchange_free(x);
    assert_int_equal(b.err->code, rc);
    return rc;
}

static void test_client_refused__each_status_has_its_code(void **state)
{
    static const struct {
        int status, code;
    } cases[] = {
        {401, MLREG_EAUTH},  {403, MLREG_EDENIED}, {404, MLREG_ENOTFOUND}, {405, MLREG_ENOTSUP}, {501, MLREG_ENOTSUP}, {413, MLREG_ELIMIT},
        {408, MLREG_ENET},   {429, MLREG_ENET},    {500, MLREG_ENET},      {503, MLREG_ENET},    {507, MLREG_ENET},    {400, MLREG_EPROTO},
        {409, MLREG_EPROTO}, {416, MLREG_EPROTO},  {200, MLREG_EPROTO},    {304, MLREG_EPROTO},  {418, MLREG_EPROTO},  {407, MLREG_EDENIED},
    };
    char text[4096], url[16], says[32];
    int  n = snprintf(text, sizeof text, "[");

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        n += snprintf(text + n, sizeof text - (size_t)n, "%s{'path':'/%d','status':%d}", i > 0 ? "," : "", cases[i].status, cases[i].status);
    snprintf(text + n, sizeof text - (size_t)n, "]");
    open_client(text);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        snprintf(url, sizeof url, "/%d", cases[i].status);
        snprintf(says, sizeof says, "answered %d", cases[i].status);
        assert_failed(&b, refused(url), cases[i].code, says);
        assert_int_equal(b.err->http_status, cases[i].status);
    }
}

/* What no registry answers. */
static void test_client_refused__by_a_proxy_has_a_hint_for_the_proxy(void **state)
{
    (void)state;
    open_client("[{'status':407,'body':'who are you?'}]");
    assert_int_equal(refused("/"), MLREG_EDENIED);
    assert_string_equal(b.err->hint, "a proxy wants a name and a password, which stand in its URL in the environment: http_proxy=http://NAME:PASSWORD@PROXY");
}

static void test_client_refused__tells_what_the_registry_says(void **state)
{
    (void)state;
    open_client("[{'status':404,'body':'{^errors^:[{^code^:^MANIFEST_UNKNOWN^,^message^:^manifest unknown^,^detail^:{^tag^:^v1^}},{^code^:^OTHER^}]}'}]");
    assert_int_equal(refused("/"), MLREG_ENOTFOUND);
    assert_string_equal(b.err->message, "cannot read team/x: registry.example answered 404 MANIFEST_UNKNOWN: manifest unknown");
    assert_string_equal(b.err->registry_code, "MANIFEST_UNKNOWN");
}

static void test_client_refused__bodies_of_every_kind(void **state)
{
    static const struct {
        const char *body, *type, *message, *code;
    } cases[] = {
        {"", "text/plain", "400", NULL},
        {"{}", "application/json", "400", NULL},
        {"[]", "application/json", "400", NULL},
        {"{^errors^:null}", "application/json", "400", NULL},
        {"{^errors^:[]}", "application/json", "400", NULL},
        {"{^errors^:{^code^:^X^}}", "application/json", "400", NULL},
        {"{^errors^:[7]}", "application/json", "400", NULL},
        {"{^errors^:[{^code^:7,^message^:[]}]}", "application/json", "400", NULL},
        {"{^errors^:[{^code^:^NAME_INVALID^}]}", "application/json", "400 NAME_INVALID", "NAME_INVALID"},
        {"{^errors^:[{^message^:^only words^}]}", "application/json", "400: only words", NULL},
        {"{^errors^:[{^message^:^^,^detail^:^in detail^}]}", "application/json", "400: in detail", NULL},
        {"{^errors^:[{^code^:^not a code^,^message^:^m^}]}", "application/json", "400: m", NULL},
        {"{^errors^:[{^code^:^A^,^code^:^B^}]}", "application/json", "400", NULL},
        {"{^errors^:[{^code^:^CUT^", "application/json", "400", NULL},
        {"\\\\n  Bad Gateway  here\\\\r\\\\nsecond line", "text/plain", "400: Bad Gateway  here", NULL},
        {"plain words", "application/json", "400: plain words", NULL},
        {"<!DOCTYPE html><html><body>secrets</body></html>", "text/html", "400: an HTML page", NULL},
        {"  <?xml version=^1.0^?><Error/>", "application/xml", "400: an HTML page", NULL},
        {"no tags, but so it says", "text/html; charset=utf-8", "400: an HTML page", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[1024], expected[256], *at;

        snprintf(text, sizeof text, "[{'status':400,'headers':{'Content-Type':'%s'},'body':'%s'}]", cases[i].type, cases[i].body);
        while ((at = strstr(text, "\\\\")) != NULL)         /* JSON's own escapes */
            memmove(at, at + 1, strlen(at));
        open_client(text);
        refused("/");
        snprintf(expected, sizeof expected, "cannot read team/x: registry.example answered %s", cases[i].message);
        assert_string_equal(b.err->message, expected);
        if (cases[i].code == NULL)
            assert_null(b.err->registry_code);
        else
            assert_string_equal(b.err->registry_code, cases[i].code);
        mlr_client_free(client);
        client = NULL;
        http_bed_close(&b);
        memset(&b, 0, sizeof b);
    }
    open_client("[]");
}

static void test_client_refused__nothing_reaches_a_terminal(void **state)
{
    (void)state;
    open_client("[{'path':'/json','status':400,'body':'{^errors^:[{^message^:^a^\\u001b[31m^b^}]}'},"
                " {'path':'/esc','status':400,'body':'{^errors^:[{^message^:^a\\\\u001b[31mb\\\\u202ec^}]}'},"
                " {'path':'/text','status':400,'body':'a\\u001b]0;x\\u0007b'},"
                " {'path':'/latin','status':400,'body_base64':'Yf9i'}]");
    refused("/json");
    assert_null(strchr(b.err->message, '\x1b'));
    refused("/esc");
    assert_non_null(strstr(b.err->message, ": a?[31mb?c"));
    refused("/text");
    assert_non_null(strstr(b.err->message, ": a?]0;x?b"));
    refused("/latin");
    assert_non_null(strstr(b.err->message, ": a?b"));
}

static void test_client_refused__long_words_are_cut(void **state)
{
    (void)state;
    open_client("[{'status':400,'size':65536},{}]");
    refused("/");
    assert_true(strlen(b.err->message) < 400);
}

static void test_client_refused__endless_words_are_cut(void **state)
{
    (void)state;
    open_client("[{'path':'/endless','do':'endless_body','status':400},{'path':'/cut','do':'cut','status':403,'body':'denied, because','sent':6}]");
    assert_int_equal(refused("/endless"), MLREG_EPROTO);
    assert_failed(&b, refused("/cut"), MLREG_EDENIED, "403: denied");       /* what came before it broke off */
}

static void test_client_refused__codes_refine_the_status(void **state)
{
    (void)state;
    open_client("[{'path':'/limit','status':403,'body':'{^errors^:[{^code^:^TOOMANYREQUESTS^,^message^:^retry-after: 44.5s^}]}'},"
                " {'path':'/unsup','status':400,'body':'{^errors^:[{^code^:^UNSUPPORTED^}]}'}]");
    assert_failed(&b, refused("/limit"), MLREG_ENET, "44.5s");
    assert_int_equal(refused("/unsup"), MLREG_ENOTSUP);
}

static void test_client_refused__says_what_to_do(void **state)
{
    static const struct {
        const char *path, *hint;
    } cases[] = {
        {"/401", "log in to registry.example"}, {"/403", "log in to registry.example"}, {"/after", "wait for 17 s"},
        {"/hub", "100;w=21600"},                {"/429", "go slower"},                  {"/413", "limit raised"},
        {"/502", "try again later"},            {"/html", "not a registry"},
    };

    (void)state;
    open_client("[{'path':'/401','status':401},{'path':'/403','status':403},{'path':'/after','status':429,'headers':{'Retry-After':'17'}},"
                " {'path':'/hub','status':429,'headers':{'ratelimit-limit':'100;w=21600'}},{'path':'/429','status':429},"
                " {'path':'/413','status':413},{'path':'/502','status':502},"
                " {'path':'/html','status':404,'body':'<html>'},{'path':'/404','status':404}]");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        refused(cases[i].path);
        if (b.err->hint == NULL || strstr(b.err->hint, cases[i].hint) == NULL)
            fail_msg("%s: %s", cases[i].path, b.err->hint != NULL ? b.err->hint : "no hint");
    }
    refused("/404");
    assert_null(b.err->hint);
}

static void test_client_refused__names_the_storage_that_refused(void **state)
{
    bed_server  storage;
    char       *text = NULL;

    (void)state;
    bed_evil_start(&storage, script("[{'status':403,'body':'<Error><Code>AccessDenied</Code></Error>'}]"));
    assert_true(asprintf(&text, "[{'status':307,'headers':{'Location':'%s/x?sig=hunter2'}}]", storage.url) > 0);
    open_client(text);
    assert_failed(&b, refused("/"), MLREG_EDENIED, storage.host);
    assert_null(strstr(b.err->message, "hunter2"));
    assert_true(b.err->hint == NULL || strstr(b.err->hint, "log in") == NULL);
    bed_server_stop(&storage);
    free(text);
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_client_refused__##name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_status_has_its_code),
        TEST(by_a_proxy_has_a_hint_for_the_proxy),
        TEST(tells_what_the_registry_says),
        TEST(bodies_of_every_kind),
        TEST(nothing_reaches_a_terminal),
        TEST(long_words_are_cut),
        TEST(endless_words_are_cut),
        TEST(codes_refine_the_status),
        TEST(says_what_to_do),
        TEST(names_the_storage_that_refused),
    };

    return cmocka_run_group_tests_name("net/client_refused", tests, NULL, NULL);
}
