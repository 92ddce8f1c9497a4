/* tests/net/test_auth_token.c - asking a token server, and what of its answers is believed. */
#include "net/auth_token.h"

#include "base/alloc.h"
#include "bed/failing_alloc.h"
#include "net/auth_bed.h"

/* ---- answers ---- */

static int parse(const char *text, mlr_token *t, mlreg_error **err)
{
    const char *json = script(text);

    *t = (mlr_token){0};
    return mlr_token_parse(json, strlen(json), "https://auth.example/token", t, err);
}

static void assert_token(const char *text, const char *value, uint64_t life_ms)
{
    mlr_token t;

    assert_int_equal(parse(text, &t, NULL), 0);
    assert_string_equal(t.value, value);
    assert_int_equal(t.life_ms, life_ms);
    mlr_token_done(&t);
}

static void test_auth_token__is_found_under_either_name(void **state)
{
    (void)state;
    assert_token("{'token':'abc','expires_in':300}", "abc", 300000);
    assert_token("{'access_token':'abc','expires_in':300}", "abc", 300000);
    assert_token("{'access_token':'abc','token':'abc','issued_at':'2009-11-10T23:00:00Z'}", "abc", 60000);
    assert_token("{'token':'','access_token':'abc'}", "abc", 60000);
}

static void test_auth_token__lives_for_60_s_where_nothing_better_is_said(void **state)
{
    (void)state;
    assert_token("{'token':'abc'}", "abc", 60000);
    assert_token("{'token':'abc','expires_in':0}", "abc", 60000);
    assert_token("{'token':'abc','expires_in':-5}", "abc", 60000);
    assert_token("{'token':'abc','expires_in':'300'}", "abc", 60000);
    assert_token("{'token':'abc','expires_in':null}", "abc", 60000);
    assert_token("{'token':'abc','expires_in':1}", "abc", 1000);
    assert_token("{'token':'abc','expires_in':18446744073709551615}", "abc", 366ull * 86400 * 1000);
}

static void test_auth_token__a_new_identity_token_comes_along(void **state)
{
    mlr_token t;

    (void)state;
    assert_int_equal(parse("{'access_token':'abc','refresh_token':'next'}", &t, NULL), 0);
    assert_string_equal(t.refresh, "next");
    mlr_token_done(&t);
    assert_int_equal(parse("{'access_token':'abc','refresh_token':'ne\\nxt'}", &t, NULL), 0);
    assert_null(t.refresh);
    mlr_token_done(&t);
}

static void test_auth_token__what_is_none_is_refused_without_being_shown(void **state)
{
    static const char *const texts[] = {
        "", "<html>hunter2</html>", "{}", "[]", "null", "'hunter2'", "{'token':''}", "{'token':null}", "{'token':7}",
        "{'token':['hunter2']}", "{'token':'hunter2\\r\\nX-Evil: 1'}", "{'token':'hunter2\\u0001'}",
        "{'token':'hunter 2'}", "{'token':'hunter2\\u00e4'}", "{'token':'hunter2'} x",
        "{'token':'hunter2','Token':'x'}", "{'token':'hunter2\\u0000'}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        mlreg_error *e = NULL;
        mlr_token    t;

        assert_int_equal(parse(texts[i], &t, &e), MLREG_EPROTO);
        assert_non_null(strstr(e->message, "https://auth.example/token"));
        assert_null(strstr(e->message, "hunter"));
        assert_null(t.value);
        mlr_error_done(e);
    }
}

static void test_auth_token__parsing_survives_want_of_memory(void **state)
{
    failing_alloc f;
    bool          fired = true;

    (void)state;
    for (int n = 1; fired; n++) {
        mlr_token t;

        failing_alloc_arm(&f, n, false);
        int rc = parse("{'token':'abc','refresh_token':'next'}", &t, NULL);
        fired = failing_alloc_disarm(&f);
        assert_int_equal(rc, fired ? MLREG_ENOMEM : 0);
        mlr_token_done(&t);
    }
}

/* ---- which server ---- */

static void assert_realm(const char *registry, const char *realm, int rc, const char *url)
{
    mlr_url      from, to = {0};
    mlreg_error *e = NULL;

    assert_int_equal(mlr_url_parse(registry, &from, NULL), 0);
    assert_int_equal(mlr_token_realm(&from, "reg.example", realm, &to, &e), rc);
    if (rc == 0) {
        char *text = mlr_url_text(&to);

        assert_string_equal(text, url);
        mlr_free(text);
    } else {
        assert_non_null(strstr(e->message, "reg.example"));
        assert_null(strstr(e->message, "hunter2"));
        assert_null(to.host);
    }
    mlr_url_done(&from);
    mlr_url_done(&to);
    mlr_error_done(e);
}

static void test_auth_token__a_server_may_be_anywhere_with_tls(void **state)
{
    (void)state;
    assert_realm("https://reg.example", "https://auth.example/token?a=b", 0, "https://auth.example/token?a=b");
    assert_realm("https://reg.example", "/token", 0, "https://reg.example/token");
    assert_realm("http://127.0.0.1:5000", "http://127.0.0.1:5001/token", 0, "http://127.0.0.1:5001/token");
    assert_realm("http://127.0.0.1:5000", "https://auth.example/token", 0, "https://auth.example/token");
}

static void test_auth_token__a_server_without_tls_is_refused_where_the_registry_has_it(void **state)
{
    (void)state;
    assert_realm("https://reg.example", "http://auth.example/token", MLREG_EDENIED, NULL);
    assert_realm("https://reg.example", "http://127.0.0.1/token", MLREG_EDENIED, NULL);
    assert_realm("https://reg.example", "HTTP://reg.example/token", MLREG_EDENIED, NULL);
}

static void test_auth_token__a_server_that_is_no_url_is_refused(void **state)
{
    (void)state;
    assert_realm("https://reg.example", "https://user:hunter2@auth.example/token", MLREG_EPROTO, NULL);
    assert_realm("https://reg.example", "https://auth.example@evil.example/", MLREG_EPROTO, NULL);
    assert_realm("https://reg.example", "ftp://auth.example/token", MLREG_EPROTO, NULL);
    assert_realm("https://reg.example", "file:///etc/passwd", MLREG_EPROTO, NULL);
    assert_realm("https://reg.example", "https://auth.example/to ken", MLREG_EPROTO, NULL);
    assert_realm("https://reg.example", "https://auth.example/\r\nX: y", MLREG_EPROTO, NULL);
    assert_realm("https://reg.example", "https://", MLREG_EPROTO, NULL);
}

/* ---- asking ---- */

static struct http_bed b;
static mlr_creds       nobody, ann, identity;

static int setup(void **state)
{
    (void)state;
    assert_int_equal(mlr_creds_set(&ann, MLR_CREDS_BASIC, "ann", "hunter2&x", NULL), 0);
    assert_int_equal(mlr_creds_set(&identity, MLR_CREDS_IDENTITY, NULL, "refresh+me", NULL), 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    http_bed_close(&b);
    mlr_creds_done(&ann);
    mlr_creds_done(&identity);
    return 0;
}

static int fetch(const char *text, const mlr_creds *creds, const char *service, const char *scope, mlr_token *t)
{
    mlr_url       registry, realm;
    mlr_token_ask ask = {.registry = &registry, .host = "reg.example", .realm = &realm, .service = service,
                         .scope = scope, .creds = creds};
    int           rc;

    http_bed_open(&b, script(text), NULL);
    ask.http = b.http;
    *t = (mlr_token){0};
    assert_int_equal(mlr_url_parse(b.evil.url, &registry, NULL), 0);
    assert_int_equal(mlr_url_resolve(&registry, "/token?x=1", &realm, NULL), 0);
    rc = mlr_token_fetch(&ask, b.op, t, &b.err);
    mlr_url_done(&registry);
    mlr_url_done(&realm);
    if (rc < 0)
        assert_null(strstr(b.err->message, "hunter2"));
    return rc;
}

#define GIVES "[{'path':'/token.*','body':'{^token^:^abc^}'}]"

static void assert_gets(const char *text, const mlr_creds *creds, const char *service, const char *scope)
{
    mlr_token t;

    if (fetch(text, creds, service, scope, &t) < 0)
        fail_msg("%s", b.err->message);
    assert_string_equal(t.value, "abc");
    mlr_token_done(&t);
}

static void test_auth_token__nobody_asks_without_authorization(void **state)
{
    (void)state;
    assert_gets(GIVES, &nobody, "reg.example", "repository:a/b:pull repository:c:pull,push");
    assert_logged(&b, 0, "'method': 'GET'");
    assert_logged(&b, 0, "'/token?x=1&service=reg.example&"
                         "scope=repository%3Aa%2Fb%3Apull&scope=repository%3Ac%3Apull%2Cpush'");
    assert_not_logged(&b, 0, "uthorization");
}

static void test_auth_token__what_the_registry_said_is_encoded(void **state)
{
    (void)state;
    assert_gets(GIVES, &nobody, "a&scope=evil#x \r\n", NULL);
    assert_logged(&b, 0, "'/token?x=1&service=a%26scope%3Devil%23x%20%0D%0A'");
}

static void test_auth_token__without_service_and_scope_neither_is_sent(void **state)
{
    (void)state;
    assert_gets(GIVES, &nobody, "", "");
    assert_logged(&b, 0, "'/token?x=1'");
}

static void test_auth_token__name_and_password_go_as_basic(void **state)
{
    (void)state;
    assert_gets(GIVES, &ann, "s", "repository:x:pull");
    assert_logged(&b, 0, "['Authorization', 'Basic YW5uOmh1bnRlcjImeA==']");
    assert_logged(&b, 0, "'/token?x=1&service=s&scope=repository%3Ax%3Apull'");
}

static void test_auth_token__an_identity_token_is_posted(void **state)
{
    (void)state;
    assert_gets(GIVES, &identity, "s", "repository:x:pull repository:y:pull");
    assert_logged(&b, 0, "'method': 'POST'");
    assert_logged(&b, 0, "'/token?x=1'");
    assert_logged(&b, 0, "'application/x-www-form-urlencoded'");
    assert_logged(&b, 0, "'grant_type=refresh_token&client_id=libmlreg&service=s&"
                         "scope=repository%3Ax%3Apull%20repository%3Ay%3Apull&refresh_token=refresh%2Bme'");
    assert_not_logged(&b, 0, "uthorization");
}

static void test_auth_token__a_server_that_takes_no_get_is_posted_name_and_password(void **state)
{
    (void)state;
    assert_gets("[{'method':'GET','status':405},{'method':'POST','body':'{^access_token^:^abc^}'}]", &ann, "s", NULL);
    assert_logged(&b, 1, "'grant_type=password&client_id=libmlreg&service=s&username=ann&password=hunter2%26x'");
    assert_not_logged(&b, 1, "uthorization");
}

static void assert_fetch_fails(const char *text, const mlr_creds *creds, int code, const char *says)
{
    mlr_token t;

    assert_failed(&b, fetch(text, creds, "s", NULL, &t), code, says);
    assert_null(t.value);
}

static void test_auth_token__refused_credentials_are_told_from_none(void **state)
{
    (void)state;
    assert_fetch_fails("[{'status':401,'body':'{^details^:^hunter2&x is wrong^}'}]", &ann, MLREG_EAUTH,
        "/token refused the credentials for reg.example");
    assert_int_equal(b.err->http_status, 401);
    http_bed_close(&b);
    assert_fetch_fails("[{'status':403}]", &nobody, MLREG_EAUTH, "reg.example asks for a login");
    http_bed_close(&b);
    assert_fetch_fails("[{'status':400,'body':'{^error^:^invalid_grant^}'}]", &identity, MLREG_EAUTH, "refused");
    http_bed_close(&b);
    assert_fetch_fails("[{'status':400}]", &ann, MLREG_EPROTO, "HTTP status 400");
}

static void test_auth_token__no_redirect_is_followed(void **state)
{
#define THIEF "'headers':{'Location':'$URL/thief'}},{'path':'/thief.*','body':'{^token^:^x^}'}]"
    static const char *const scripts[] = {
        "[{'path':'/token.*','status':302," THIEF,
        "[{'path':'/token.*','status':307," THIEF,
    };

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        assert_fetch_fails(scripts[i], i == 0 ? &ann : &identity, MLREG_EPROTO, "redirect");
        assert_int_equal(bed_log_count(&b.evil, "thief"), 0);
        if (i == 0)
            http_bed_close(&b);
    }
}

static void test_auth_token__a_server_that_is_down_is_tried_again(void **state)
{
    (void)state;
    assert_gets("[{'times':1,'do':'close'},{'times':1,'status':503,'headers':{'Retry-After':'0'}},"
                "{'body':'{^token^:^abc^}'}]", &identity, "s", NULL);
    assert_int_equal(bed_log_count(&b.evil, ""), 3);
}

static void test_auth_token__one_that_stays_down_is_an_error(void **state)
{
    (void)state;
    assert_fetch_fails("[{'status':502}]", &ann, MLREG_ENET, "the token server is not available (HTTP status 502)");
    assert_int_equal(b.err->http_status, 502);
    assert_int_equal(bed_log_count(&b.evil, ""), 3);
}

static void test_auth_token__an_answer_has_a_limit(void **state)
{
    (void)state;
    assert_fetch_fails("[{'size':131072}]", &nobody, MLREG_EPROTO, "byte 0");       /* read, and no JSON */
    http_bed_close(&b);
    assert_fetch_fails("[{'size':131073}]", &nobody, MLREG_ELIMIT, "131072 bytes");
    http_bed_close(&b);
    assert_fetch_fails("[{'do':'endless_body'}]", &nobody, MLREG_ELIMIT, "131072 bytes");
}

static void test_auth_token__an_encoded_answer_is_refused(void **state)
{
    (void)state;
    assert_fetch_fails("[{'headers':{'Content-Encoding':'gzip'},'body':'{^token^:^abc^}'}]", &nobody, MLREG_EPROTO,
        "encoding");
}

static void test_auth_token__credentials_do_not_go_over_plain_http_to_others(void **state)
{
    mlr_url       registry, realm;
    mlr_token     t = {0};
    mlr_token_ask ask = {.registry = &registry, .host = "reg.example", .realm = &realm, .creds = &ann};

    (void)state;
    http_bed_open(&b, "[]", NULL);
    ask.http = b.http;
    assert_int_equal(mlr_url_parse(b.evil.url, &registry, NULL), 0);
    assert_int_equal(mlr_url_parse("http://192.0.2.1:8080/token", &realm, NULL), 0);
    assert_failed(&b, mlr_token_fetch(&ask, b.op, &t, &b.err), MLREG_EDENIED, "would go over plain http to 192.0.2.1:8080");
    http_bed_clear(&b);
    ask.creds = &identity;
    assert_failed(&b, mlr_token_fetch(&ask, b.op, &t, &b.err), MLREG_EDENIED, "would go over plain http to 192.0.2.1:8080");
    mlr_url_done(&registry);
    mlr_url_done(&realm);
}

static void test_auth_token__a_cancel_is_a_cancel(void **state)
{
    mlr_url       registry;
    mlr_token     t = {0};
    mlr_token_ask ask = {.registry = &registry, .host = "reg.example", .realm = &registry, .creds = &nobody};

    (void)state;
    http_bed_open(&b, script("[{'do':'stall'}]"), NULL);
    ask.http = b.http;
    assert_int_equal(mlr_url_parse(b.evil.url, &registry, NULL), 0);
    mlr_op_cancel(b.op);
    assert_int_equal(mlr_token_fetch(&ask, b.op, &t, &b.err), MLREG_ECANCELLED);
    mlr_url_done(&registry);
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_auth_token__##name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_auth_token__is_found_under_either_name),
        cmocka_unit_test(test_auth_token__lives_for_60_s_where_nothing_better_is_said),
        cmocka_unit_test(test_auth_token__a_new_identity_token_comes_along),
        cmocka_unit_test(test_auth_token__what_is_none_is_refused_without_being_shown),
        cmocka_unit_test(test_auth_token__parsing_survives_want_of_memory),
        cmocka_unit_test(test_auth_token__a_server_may_be_anywhere_with_tls),
        cmocka_unit_test(test_auth_token__a_server_without_tls_is_refused_where_the_registry_has_it),
        cmocka_unit_test(test_auth_token__a_server_that_is_no_url_is_refused),
        TEST(nobody_asks_without_authorization),
        TEST(what_the_registry_said_is_encoded),
        TEST(without_service_and_scope_neither_is_sent),
        TEST(name_and_password_go_as_basic),
        TEST(an_identity_token_is_posted),
        TEST(a_server_that_takes_no_get_is_posted_name_and_password),
        TEST(refused_credentials_are_told_from_none),
        TEST(no_redirect_is_followed),
        TEST(a_server_that_is_down_is_tried_again),
        TEST(one_that_stays_down_is_an_error),
        TEST(an_answer_has_a_limit),
        TEST(an_encoded_answer_is_refused),
        TEST(credentials_do_not_go_over_plain_http_to_others),
        TEST(a_cancel_is_a_cancel),
    };
    return cmocka_run_group_tests_name("net/auth_token", tests, NULL, NULL);
}
