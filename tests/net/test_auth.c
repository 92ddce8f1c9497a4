/* tests/net/test_auth.c - 401 after 401: what is asked, how often, with what, and what is said in the end. */
#include "net/auth.h"

#include <time.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/work.h"
#include "net/auth_bed.h"

#define PULL "repository:team/x:pull"
#define PUSH "repository:team/x:pull,push"

/* A registry in one script: its token server gives t1, t2 … and whatever carries "Bearer t…" is let in. */
#define CHALLENGE "'headers':{'WWW-Authenticate':'Bearer realm=^$URL/token^,service=^reg^'}"
#define TOKENS    "{'path':'/token.*','body':'{^token^:^t$COUNT^,^expires_in^:100}'}"
#define LETS_IN   "{'path':'/v2/.*','header':{'Authorization':'Bearer t\\\\d+'},'body':'ok'}"
#define ASKS      "{'path':'/v2/.*','status':401," CHALLENGE "}"
#define BASIC     "{'path':'/v2/.*','status':401,'headers':{'WWW-Authenticate':'Basic realm=^r^'}}"
#define ANN       "YW5uOmh1bnRlcjI="          /* ann:hunter2 */

static creds_bed       home;
static struct http_bed b;
static mlr_auth       *auth;
static uint64_t        skipped_ms;             /* by which the clock is ahead */

static uint64_t clock_ms(void *user)
{
    struct timespec now;

    (void)user;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000 + skipped_ms;
}

static int setup(void **state)
{
    static const mlr_clock ahead = {.ms = clock_ms};

    (void)state;
    creds_bed_make(&home);
    auth = NULL;
    skipped_ms = 0;
    mlr_clock_use(&ahead);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    mlr_clock_use(NULL);
    mlr_auth_free(auth);
    http_bed_close(&b);
    creds_bed_remove(&home);
    return 0;
}

static void open_as(const char *text, const char *registry, mlreg_auth_fn fn, void *user)
{
    mlr_url url;

    http_bed_open(&b, script(text), NULL);
    assert_int_equal(mlr_url_parse(registry != NULL ? registry : b.evil.url, &url, NULL), 0);
    assert_int_equal(mlr_auth_new(b.http, &url, &(mlr_auth_options){b.evil.host, fn, user}, &auth, NULL), 0);
    mlr_url_done(&url);
}

static void open_auth(const char *text)
{
    open_as(text, NULL, NULL, NULL);
}

/* docker's file says this of the registry: "'auth':'…'". */
static void write_login(const char *entry)
{
    char text[512];

    snprintf(text, sizeof text, "{'auths':{'%s':{%s}}}", b.evil.host, entry);
    creds_bed_write(&home, "home/.docker/config.json", script(text));
}

/* Whatever goes wrong: no secret is told, in no form. */
static void assert_no_secret(const mlreg_error *e)
{
    static const char *const secrets[] = {"hunter2", "YW5uOmh1", "refresh-", "Bearer t"};

    for (size_t i = 0; e != NULL && i < sizeof secrets / sizeof secrets[0]; i++) {
        assert_null(strstr(e->message, secrets[i]));
        assert_true(e->hint == NULL || strstr(e->hint, secrets[i]) == NULL);
    }
}

/* A request as the client makes it: the status that stands in the end, or the error. */
static int request_with(mlr_op *op, const char *path, const char *scope, mlreg_error **err)
{
    int rc = 1, status = 0;

    for (int tries = 0; rc == 1; tries++) {
        mlr_header    header = {"Authorization", NULL};
        mlr_exchange *x = NULL;
        char         *value = NULL, url[256];

        assert_true(tries < 20);                          /* a loop of 401s ends long before */
        snprintf(url, sizeof url, "%s%s", b.evil.url, path);
        if ((rc = mlr_auth_header(auth, scope, op, &value, err)) < 0)
            return rc;
        header.value = value;
        rc = mlr_http_begin(b.http, &(mlr_request){.method = "GET", .url = url, .headers = &header,
                                        .n_headers = value[0] != '\0'}, op, &x, err);
        if (rc == 0 && (status = mlr_exchange_status(x)) == 401)
            rc = mlr_auth_challenged(auth, x, value, scope, op, err);
        mlr_exchange_free(x);
        mlr_creds_wipe(value);
    }
    return rc < 0 ? rc : status;
}

static int request(const char *path, const char *scope)
{
    int rc;

    http_bed_clear(&b);
    rc = request_with(b.op, path, scope, &b.err);
    assert_no_secret(b.err);
    return rc;
}

static void assert_lets_in(const char *path, const char *scope)
{
    int rc = request(path, scope);

    if (rc != 200)
        fail_msg("%s: %d %s", path, rc, b.err != NULL ? b.err->message : "");
}

static size_t asked(const char *text)
{
    return bed_log_count(&b.evil, text);
}

/* The hint, in which '@' stands for the directory of this test and '#' for the registry. */
static void assert_hint(const char *text)
{
    char   expected[1024];
    size_t n = 0;

    for (; *text != '\0'; text++)
        n += (size_t)snprintf(expected + n, sizeof expected - n, *text == '@' || *text == '#' ? "%s" : "%.1s",
            *text == '@' ? home.dir : *text == '#' ? b.evil.host : text);
    assert_string_equal(b.err->hint, expected);
}

/* ---- Bearer ---- */

static void test_auth__one_token_serves_until_it_wears_out(void **state)
{
    (void)state;
    open_auth("[" TOKENS "," LETS_IN "," ASKS "]");
    for (int i = 0; i < 5; i++)
        assert_lets_in("/v2/a", PULL);
    assert_int_equal(asked("/v2/a"), 6);
    assert_int_equal(asked("/token"), 1);
    assert_logged(&b, 0, "'path': '/v2/a'");
    assert_not_logged(&b, 0, "uthorization");
    assert_logged(&b, 1, "'/token?service=reg&scope=repository%3Ateam%2Fx%3Apull'");
    assert_logged(&b, 2, "'Bearer t1'");
}

static void test_auth__a_token_is_renewed_at_four_fifths_of_its_life(void **state)
{
    (void)state;
    open_auth("[" TOKENS "," LETS_IN "," ASKS "]");
    assert_lets_in("/v2/a", PULL);
    skipped_ms = 70000;
    assert_lets_in("/v2/a", PULL);
    assert_int_equal(asked("/token"), 1);
    skipped_ms = 85000;
    assert_lets_in("/v2/a", PULL);
    assert_int_equal(asked("/token"), 2);
    assert_int_equal(asked("Bearer t2"), 1);
    assert_int_equal(asked("/v2/a"), 4);                        /* one 401, the very first */
}

static void test_auth__another_scope_needs_no_second_401(void **state)
{
    (void)state;
    open_auth("[" TOKENS "," LETS_IN "," ASKS "]");
    assert_lets_in("/v2/a", PULL);
    assert_lets_in("/v2/b", PUSH);
    assert_lets_in("/v2/b", "  " PUSH " " PUSH);                /* the same set */
    assert_int_equal(asked("/v2/"), 4);
    assert_int_equal(asked("/token"), 2);
    assert_int_equal(asked("scope=repository%3Ateam%2Fx%3Apull%2Cpush"), 1);
}

static int request_in_task(void *arg, mlr_op *op, mlreg_error **err)
{
    int rc = request_with(op, "/v2/a", arg, err);

    return rc < 0 ? rc : 0;
}

static void test_auth__threads_that_need_the_same_share_one_token(void **state)
{
    mlr_group *g = NULL;

    (void)state;
    open_auth("[{'path':'/token.*','delay_ms':300,'body':'{^token^:^t$COUNT^}'}," LETS_IN "," ASKS "]");
    for (int round = 0; round < 2; round++) {                   /* asked by 401s, then by the clock */
        assert_int_equal(mlr_group_new(NULL, b.op, 8, &g, NULL), 0);
        for (int i = 0; i < 8; i++)
            assert_int_equal(mlr_group_add(g, request_in_task, (void *)(uintptr_t)PULL, NULL), 0);
        assert_int_equal(mlr_group_wait(g, &b.err), 0);
        mlr_group_free(g);
        assert_int_equal(asked("/token"), round + 1);
        skipped_ms = 50000;
    }
}

static void test_auth__a_token_that_stopped_working_is_replaced_once(void **state)
{
    (void)state;
    open_auth("[" TOKENS ",{'path':'/v2/.*','times':3,'header':{'Authorization':'Bearer t1'},'body':'ok'},"
              "{'path':'/v2/.*','header':{'Authorization':'Bearer t2'},'body':'ok'}," ASKS "]");
    for (int i = 0; i < 5; i++)
        assert_lets_in("/v2/a", PULL);
    assert_int_equal(asked("/token"), 2);
}

static void test_auth__a_fresh_token_that_is_refused_ends_it(void **state)
{
    (void)state;
    open_auth("[" TOKENS "," ASKS "]");
    write_login("'auth':'" ANN "'");
    assert_failed(&b, request("/v2/a", PULL), MLREG_EAUTH, "refused a fresh token for " PULL);
    assert_int_equal(b.err->http_status, 401);
    assert_hint("the credentials from @/home/.docker/config.json were refused: log in to # again");
    assert_int_equal(asked("/token"), 1);
    assert_failed(&b, request("/v2/a", PULL), MLREG_EAUTH, "refused a fresh token");
    assert_int_equal(asked("/token"), 1);                       /* it is still fresh: why ask again? */
}

static void test_auth__a_scope_that_the_registry_states_is_asked_for(void **state)
{
    (void)state;
    open_auth("[" TOKENS ",{'path':'/v2/.*','header':{'Authorization':'Bearer t1'},'status':401,'headers':"
              "{'WWW-Authenticate':'Bearer realm=^$URL/token^,service=^reg^,error=^insufficient_scope^,"
              "scope=^repository:team/x:metadata_read^'}}," LETS_IN "," ASKS "]");
    assert_lets_in("/v2/a", PULL);
    assert_int_equal(asked("/token"), 2);
    assert_int_equal(asked("scope=repository%3Ateam%2Fx%3Ametadata_read&scope=repository%3Ateam%2Fx%3Apull"), 1);
    skipped_ms = 90000;
    assert_lets_in("/v2/a", PULL);                              /* and at once when it is renewed */
    assert_int_equal(asked("scope=repository%3Ateam%2Fx%3Ametadata_read&scope=repository%3Ateam%2Fx%3Apull"), 2);
    assert_int_equal(asked("/v2/a"), 4);
}

static void test_auth__what_never_ends_by_itself_is_ended(void **state)
{
    static const char *const loops[] = {
        /* always to the next token server, always to the next scope, always both */
        "[{'path':'/token.*','body':'{^token^:^t$COUNT^}'},{'path':'/v2/.*','status':401,'headers':{'WWW-Authenticate':"
        "'Bearer realm=^$URL/token$COUNT^'}}]",
        "[{'path':'/token.*','body':'{^token^:^t$COUNT^}'},{'path':'/v2/.*','status':401,'headers':{'WWW-Authenticate':"
        "'Bearer realm=^$URL/token^,scope=^repository:y$COUNT:pull^,error=^insufficient_scope^'}}]",
        "[{'path':'/token.*','body':'{^token^:^t$COUNT^}'},{'path':'/v2/.*','status':401,'headers':{'WWW-Authenticate':"
        "'Bearer realm=^$URL/token$COUNT^,scope=^a$COUNT^,service=^s$COUNT^'}}]",
    };

    (void)state;
    for (size_t i = 0; i < sizeof loops / sizeof loops[0]; i++) {
        open_auth(loops[i]);
        assert_failed(&b, request("/v2/a", PULL), MLREG_EAUTH, "refused");
        assert_in_range(asked("/token"), 1, 4);
        mlr_auth_free(auth);
        auth = NULL;
        if (i + 1 < sizeof loops / sizeof loops[0])
            http_bed_close(&b);
    }
}

static void test_auth__a_401_without_a_challenge_is_explained_by_v2(void **state)
{
    (void)state;
    open_auth("[" TOKENS "," LETS_IN ",{'path':'/v2/','status':401," CHALLENGE "},{'path':'/v2/.+','status':401}]");
    assert_lets_in("/v2/a", PULL);
    assert_logged(&b, 1, "'path': '/v2/'");
    assert_not_logged(&b, 1, "uthorization");
}

static void test_auth__a_401_that_nothing_explains_is_an_error(void **state)
{
    static const char *const scripts[] = {
        "[{'path':'/v2/','status':200},{'path':'/v2/.+','status':401}]",
        "[{'path':'/v2/','status':401},{'path':'/v2/.+','status':401}]",
        "[{'path':'/v2/.*','status':401,'headers':[['WWW-Authenticate','NTLM'],['WWW-Authenticate','Bearer x=y']]}]",
    };

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        open_auth(scripts[i]);
        assert_failed(&b, request("/v2/a", PULL), MLREG_EAUTH, "in no way that is known here");
        mlr_auth_free(auth);
        auth = NULL;
        if (i < 2)
            http_bed_close(&b);
    }
}

static void test_auth__bearer_is_preferred_wherever_it_stands(void **state)
{
    (void)state;
    open_auth("[" TOKENS "," LETS_IN ",{'path':'/v2/.*','status':401,"
              "'headers':[['WWW-Authenticate','Basic realm=^a^, Negotiate'],"
              "['www-authenticate','bEARER realm=^/token^']]}]");
    assert_lets_in("/v2/a", PULL);
    assert_logged(&b, 2, "'Bearer t1'");
}

static void test_auth__a_token_server_that_may_not_be_trusted_gets_nothing(void **state)
{
    (void)state;
    open_as("[" ASKS "]", "https://reg.example", NULL, NULL);
    write_login("'auth':'" ANN "'");
    assert_failed(&b, request("/v2/a", PULL), MLREG_EDENIED, " names a token server without TLS: http://127.0.0.1:");
    assert_int_equal(asked("/token"), 0);
}

/* ---- credentials ---- */

static void test_auth__basic_goes_with_every_request_after_the_first(void **state)
{
    (void)state;
    open_auth("[{'path':'/v2/.*','header':{'Authorization':'Basic " ANN "'},'body':'ok'}," BASIC "]");
    write_login("'auth':'" ANN "'");
    assert_lets_in("/v2/a", PULL);
    assert_lets_in("/v2/b", PUSH);
    assert_int_equal(asked("/v2/"), 3);
}

static void test_auth__a_login_is_asked_for_where_there_is_none(void **state)
{
    (void)state;
    open_auth("[" BASIC "]");
    assert_failed(&b, request("/v2/a", PULL), MLREG_EAUTH, "asks for a login");
    assert_hint("log in to #: no credentials found in @/home/.docker/config.json (not there), "
                "@/home/.config/containers/auth.json (not there)");
    write_login("");
    assert_failed(&b, request("/v2/a", PULL), MLREG_EAUTH, "asks for a login");
    assert_hint("log in to #: no credentials found in @/home/.docker/config.json (no entry), "
                "@/home/.config/containers/auth.json (not there)");
    write_login("'auth':'" ANN "'");                            /* done as the hint says: the next request has it */
    assert_failed(&b, request("/v2/a", PULL), MLREG_EAUTH, "refused the login");
    assert_int_equal(asked("Basic " ANN), 1);
}

static void test_auth__a_login_is_noticed_while_a_token_without_one_is_young(void **state)
{
    (void)state;
    open_auth("[{'path':'/token.*','header':{'Authorization':'Basic " ANN "'},'body':'{^token^:^t$COUNT^}'},"
              "{'path':'/token.*','body':'{^token^:^nobodys^}'}," LETS_IN "," ASKS "]");
    assert_failed(&b, request("/v2/a", PULL), MLREG_EAUTH, "refused a fresh token");
    assert_non_null(strstr(b.err->hint, "no credentials found in "));
    write_login("'auth':'" ANN "'");
    assert_lets_in("/v2/a", PULL);
    assert_int_equal(asked("/token"), 2);
}

static void test_auth__a_password_that_was_changed_is_looked_up_again(void **state)
{
    (void)state;
    open_auth("[{'path':'/v2/old','times':1,'header':{'Authorization':'Basic Ym9iOmE6Yjpj'},'body':'ok'},"
              "{'path':'/v2/new','header':{'Authorization':'Basic " ANN "'},'body':'ok'}," BASIC "]");
    write_login("'auth':'Ym9iOmE6Yjpj'");
    assert_lets_in("/v2/old", PULL);
    write_login("'auth':'" ANN "'");
    assert_lets_in("/v2/new", PULL);
}

static void test_auth__a_token_server_that_refuses_is_asked_no_twice_with_the_same(void **state)
{
    (void)state;
    open_auth("[{'path':'/token.*','status':401,'body':'hunter2'}," ASKS "]");
    write_login("'auth':'" ANN "'");
    assert_failed(&b, request("/v2/a", PULL), MLREG_EAUTH, "/token refused the credentials for ");
    assert_non_null(strstr(b.err->hint, "were refused: log in to "));
    assert_int_equal(asked("/token"), 1);
}

static void test_auth__what_is_open_to_all_stays_so_after_a_refusal(void **state)
{
    (void)state;
    open_auth("[{'path':'/token.*','status':403},{'path':'/v2/private','status':401," CHALLENGE "},"
              "{'path':'/v2/public','body':'ok'}]");
    assert_failed(&b, request("/v2/private", PULL), MLREG_EAUTH, "asks for a login");
    for (int i = 0; i < 3; i++)
        assert_lets_in("/v2/public", "repository:public:pull");
    assert_int_equal(asked("/token"), 2);                       /* asked ahead once, then left alone */
}

static void test_auth__an_identity_token_is_replaced_by_the_one_that_comes_back(void **state)
{
    (void)state;
    open_auth("[{'path':'/token','method':'POST','body':'{^access_token^:^t$COUNT^,^refresh_token^:^refresh-$COUNT^}'},"
              LETS_IN "," ASKS "]");
    write_login("'identitytoken':'refresh-0'");
    assert_lets_in("/v2/a", PULL);
    assert_lets_in("/v2/a", PUSH);
    assert_int_equal(asked("refresh_token=refresh-0"), 1);
    assert_int_equal(asked("refresh_token=refresh-1"), 1);
}

static void test_auth__a_registry_token_is_sent_as_it_is(void **state)
{
    (void)state;
    open_auth("[{'path':'/v2/.*','header':{'Authorization':'Bearer mine'},'body':'ok'}," ASKS "]");
    write_login("'registrytoken':'mine'");
    assert_lets_in("/v2/a", PULL);
    assert_int_equal(asked("/token"), 0);
}

static void test_auth__a_helper_that_fails_is_an_error_and_never_anonymous(void **state)
{
    (void)state;
    open_auth("[{'path':'/v2/.*','header':{'Authorization':'Basic " ANN "'},'body':'ok'},"
              "{'path':'/v2/open','body':'ok'}," BASIC "]");
    creds_bed_write(&home, "home/.docker/config.json", script("{'credsStore':'t'}"));
    assert_failed(&b, request("/v2/a", PULL), MLREG_EAUTH, "docker-credential-t");
    assert_non_null(strstr(b.err->hint, "docker-credential-t get"));
    assert_failed(&b, request("/v2/open", PUSH), MLREG_EAUTH, "docker-credential-t");
    assert_int_equal(asked("/v2/open"), 0);
    creds_bed_helper(&home, "t", "echo x >>$D/calls; echo '{\"Username\":\"ann\",\"Secret\":\"hunter2\"}'");
    assert_lets_in("/v2/a", PULL);
    assert_lets_in("/v2/b", PUSH);
    assert_lets_in("/v2/c", "repository:other:pull");
    char *calls = creds_bed_read(&home, "calls");
    assert_string_equal(calls, "x\n");                          /* one answer serves the whole host */
    free(calls);
}

static void test_auth__credentials_do_not_go_over_plain_http_to_others(void **state)
{
    (void)state;
    open_as("[" BASIC "]", "http://192.0.2.1:5000", NULL, NULL);
    write_login("'auth':'" ANN "'");
    assert_failed(&b, request("/v2/a", PULL), MLREG_EDENIED, "credentials are not sent over plain http to ");
    assert_int_equal(asked("uthorization"), 0);
}

/* ---- the caller's callback ---- */

static int give_token(mlreg_auth *a, const char *host, const char *scope, void *user)
{
    int *calls = user;

    assert_string_equal(host, b.evil.host);
    assert_non_null(strstr(scope, "repository:"));
    return mlr_creds_set(&a->creds, MLR_CREDS_BEARER, NULL, ++*calls == 1 ? "stale" : "t1", NULL);
}

static void test_auth__the_callback_is_asked_again_when_its_answer_was_refused(void **state)
{
    int calls = 0;

    (void)state;
    open_as("[" LETS_IN ",{'path':'/v2/stale','times':1,'header':{'Authorization':'Bearer stale'},'body':'ok'},"
            ASKS "]", NULL, give_token, &calls);
    assert_lets_in("/v2/stale", PULL);
    assert_int_equal(calls, 1);
    assert_lets_in("/v2/a", PULL);
    assert_int_equal(calls, 2);
    assert_int_equal(asked("/token"), 0);
}

static int give_ever_other(mlreg_auth *a, const char *host, const char *scope, void *user)
{
    char token[16];

    (void)host;
    (void)scope;
    snprintf(token, sizeof token, "no-%d", ++*(int *)user);
    return mlr_creds_set(&a->creds, MLR_CREDS_BEARER, NULL, token, NULL);
}

static void test_auth__a_callback_that_is_always_wrong_is_not_asked_for_ever(void **state)
{
    int calls = 0;

    (void)state;
    open_as("[" ASKS "]", NULL, give_ever_other, &calls);
    assert_failed(&b, request("/v2/a", PULL), MLREG_EAUTH, "refused");
    assert_in_range(calls, 1, 6);
    assert_non_null(strstr(b.err->hint, "the program's own credentials callback"));
}

static int give_failure(mlreg_auth *a, const char *host, const char *scope, void *user)
{
    (void)a;
    (void)host;
    (void)scope;
    (void)user;
    return MLREG_ECANCELLED;
}

static void test_auth__a_callbacks_failure_comes_back(void **state)
{
    (void)state;
    open_as("[" ASKS "]", NULL, give_failure, NULL);
    assert_failed(&b, request("/v2/a", PULL), MLREG_ECANCELLED, "callback failed");
}

/* ---- the rest ---- */

static int give_up(mlreg_op *op, void *user)
{
    (void)op;
    (void)user;
    return 1;
}

static void test_auth__a_cancel_ends_the_wait_for_a_token(void **state)
{
    (void)state;
    open_auth("[{'path':'/token.*','do':'stall'}," ASKS "]");
    mlr_remote_on_progress(b.remote, give_up, NULL, 200);
    assert_int_equal(request("/v2/a", PULL), MLREG_ECANCELLED);
}

static void test_auth__a_token_server_that_is_down_is_a_network_failure(void **state)
{
    (void)state;
    open_auth("[{'path':'/token.*','times':1,'body':'{^token^:^t1^,^expires_in^:10}'},{'path':'/token.*','status':503},"
              LETS_IN "," ASKS "]");
    assert_lets_in("/v2/a", PULL);
    skipped_ms = 9000;
    assert_failed(&b, request("/v2/a", PULL), MLREG_ENET, "the token server is not available");
}

static void ask_for_hint(int code)
{
    http_bed_clear(&b);
    mlr_error_set(&b.err, code, "no");
    assert_int_equal(mlr_auth_hint(auth, code, &b.err), code);
}

static void test_auth__hints_tell_what_is_known(void **state)
{
    (void)state;
    open_auth("[{'path':'/v2/.*','header':{'Authorization':'Basic " ANN "'},'body':'ok'}," BASIC "]");
    ask_for_hint(MLREG_EDENIED);
    assert_hint("log in to #");
    write_login("'auth':'" ANN "'");
    assert_lets_in("/v2/a", PULL);
    ask_for_hint(MLREG_EDENIED);
    assert_hint("the credentials from @/home/.docker/config.json do not allow this: log in to # as someone who may");
    ask_for_hint(MLREG_ENOTFOUND);
    assert_null(b.err->hint);
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_auth__##name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(one_token_serves_until_it_wears_out),
        TEST(a_token_is_renewed_at_four_fifths_of_its_life),
        TEST(another_scope_needs_no_second_401),
        TEST(threads_that_need_the_same_share_one_token),
        TEST(a_token_that_stopped_working_is_replaced_once),
        TEST(a_fresh_token_that_is_refused_ends_it),
        TEST(a_scope_that_the_registry_states_is_asked_for),
        TEST(what_never_ends_by_itself_is_ended),
        TEST(a_401_without_a_challenge_is_explained_by_v2),
        TEST(a_401_that_nothing_explains_is_an_error),
        TEST(bearer_is_preferred_wherever_it_stands),
        TEST(a_token_server_that_may_not_be_trusted_gets_nothing),
        TEST(basic_goes_with_every_request_after_the_first),
        TEST(a_login_is_asked_for_where_there_is_none),
        TEST(a_login_is_noticed_while_a_token_without_one_is_young),
        TEST(a_password_that_was_changed_is_looked_up_again),
        TEST(a_token_server_that_refuses_is_asked_no_twice_with_the_same),
        TEST(what_is_open_to_all_stays_so_after_a_refusal),
        TEST(an_identity_token_is_replaced_by_the_one_that_comes_back),
        TEST(a_registry_token_is_sent_as_it_is),
        TEST(a_helper_that_fails_is_an_error_and_never_anonymous),
        TEST(credentials_do_not_go_over_plain_http_to_others),
        TEST(the_callback_is_asked_again_when_its_answer_was_refused),
        TEST(a_callback_that_is_always_wrong_is_not_asked_for_ever),
        TEST(a_callbacks_failure_comes_back),
        TEST(a_cancel_ends_the_wait_for_a_token),
        TEST(a_token_server_that_is_down_is_a_network_failure),
        TEST(hints_tell_what_is_known),
    };
    return cmocka_run_group_tests_name("net/auth", tests, NULL, NULL);
}
