/* tests/net/test_client.c - requests to a registry and to where it leads: secrets stay, loops end, trouble passes. */
#include "net/client.h"

#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "net/auth_bed.h"

#define PULL  "repository:team/x:pull"
#define LETS_IN "{'path':'/v2/.*','header':{'Authorization':'Basic YW5uOmh1bnRlcjI='},'body':'ok'}"     /* ann:hunter2 */
#define ASKS    "{'path':'/v2/.*','status':401,'headers':{'WWW-Authenticate':'Basic realm=^r^'},'body':'who?'}"

struct client_bed {
    creds_bed       home;
    struct http_bed b;             /* the registry; its own mlr_http is not used */
    bed_server      thief;
    mlr_client     *client;
};

static struct client_bed t;
static char              logged[8192];

static uint64_t          slept_ms;         /* in waits between tries, which take no time here */

static void sleep_not(void *user, uint64_t ms)
{
    (void)user;
    slept_ms += ms;
}

static int setup(void **state)
{
    static const mlr_clock sleepless = {.sleep_ms = sleep_not};

    (void)state;
    memset(&t, 0, sizeof t);
    logged[0] = '\0';
    slept_ms = 0;
    mlr_clock_use(&sleepless);
    creds_bed_make(&t.home);
    bed_evil_start(&t.thief, script("[{'path':'/ask','status':401,'headers':{'WWW-Authenticate':'Basic realm=^thief^'}},"
                                    " {'path':'/go.*','status':302,'headers':{'Location':'$QUERY'}}, {'body':'loot'}]"));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    mlr_clock_use(NULL);
    assert_int_equal(bed_log_count(&t.thief, "YW5uOmh1bnRlcjI"), 0);       /* in no test may the thief see this */
    assert_int_equal(bed_log_count(&t.thief, "Authorization"), 0);
    mlr_client_free(t.client);
    http_bed_close(&t.b);
    bed_server_stop(&t.thief);
    creds_bed_remove(&t.home);
    return 0;
}

static int ann(mlreg_auth *a, const char *host, const char *scope, void *user)
{
    (void)host;
    (void)scope;
    (void)user;
    a->set = 1;
    return mlr_creds_set(&a->creds, MLR_CREDS_BASIC, "ann", "hunter2", NULL);
}

static void note(int level, const char *line, void *user)
{
    size_t n = strlen(logged);

    (void)user;
    snprintf(logged + n, sizeof logged - n, "%d %s\n", level, line);
}

static const mlr_client_options as_ann = {.http = {.stall_timeout_ms = 20000}, .max_retries = 2, .auth = ann, .log = note};

/* "@" in the script is the thief's URL. */
static const char *with_thief(const char *text)
{
    static char out[65536];
    size_t      n = 0;

    for (; *text != '\0' && n + 64 < sizeof out; text++)
        n += (size_t)snprintf(out + n, sizeof out - n, *text == '@' ? "%s" : "%.1s", *text == '@' ? t.thief.url : text);
    out[n] = '\0';
    return script(out);
}

static void open_client(const char *text, const mlr_client_options *o)
{
    http_bed_open(&t.b, with_thief(text), NULL);
    assert_int_equal(mlr_client_new(t.b.rt, t.b.evil.url, t.b.evil.host, o != NULL ? o : &as_ann, &t.client, NULL), 0);
}

/* Sends; the answer's status, or the error. The answer is in *x unless that is NULL. */
static int begin(const mlr_call *call, mlr_exchange **x)
{
    mlr_exchange *answer = NULL;
    int           rc;

    http_bed_clear(&t.b);
    if ((rc = mlr_client_begin(t.client, call, t.b.op, &answer, &t.b.err)) < 0)
        return rc;
    rc = mlr_exchange_status(answer);
    if (x != NULL)
        *x = answer;
    else
        mlr_exchange_settle(answer, t.b.op);          /* read to its end, so that the connection is kept */
    if (x == NULL)
        mlr_exchange_free(answer);
    return rc;
}

static int get(const char *url)
{
    return begin(&(mlr_call){.request = {.method = "GET", .url = url}, .scope = PULL, .again = true, .follow = true}, NULL);
}

static size_t asked(const char *text)
{
    return bed_log_count(&t.b.evil, text);
}

/* ---- credentials ---- */

static void test_client__answers_401_once_and_remembers(void **state)
{
    (void)state;
    open_client("[" LETS_IN "," ASKS "]", NULL);
    assert_int_equal(get("/v2/x"), 200);
    assert_int_equal(get("/v2/y"), 200);
    assert_int_equal(asked(""), 3);
    assert_not_logged(&t.b, 0, "Authorization");
    assert_logged(&t.b, 1, "'Basic YW5uOmh1bnRlcjI='");
    assert_logged(&t.b, 2, "'Basic YW5uOmh1bnRlcjI='");
    assert_int_equal(asked("\"connection\": 1,"), 3);
}

static void test_client__without_a_scope_nothing_is_answered(void **state)
{
    (void)state;
    open_client("[" LETS_IN "," ASKS "]", NULL);
    assert_int_equal(begin(&(mlr_call){.request = {.method = "GET", .url = "/v2/"}}, NULL), 401);
    assert_int_equal(asked(""), 1);
}

static void test_client__loops_of_401_end(void **state)
{
    (void)state;
    open_client("[{'path':'/token.*','body':'{^token^:^t$COUNT^}'},"
                " {'path':'/v2/.*','status':401,'headers':{'WWW-Authenticate':'Bearer realm=^$URL/token?$COUNT^,service=^s$COUNT^'}}]", NULL);
    assert_int_equal(get("/v2/x"), 401);             /* each time another server is named, and its token no good */
    assert_int_equal(asked("/v2/x"), 4);
    assert_int_equal(asked("/token"), 3);
}

static void test_client__wrong_password(void **state)
{
    (void)state;
    open_client("[" ASKS "]", NULL);
    assert_failed(&t.b, get("/v2/x"), MLREG_EAUTH, t.b.evil.host);
    assert_non_null(strstr(t.b.err->hint, "refused"));
    assert_null(strstr(t.b.err->message, "hunter2"));
}

static void test_client__an_upload_is_authenticated_and_sent_again_whole(void **state)
{
    char *data = calloc(1, 3000000);

    (void)state;
    open_client("[" LETS_IN ",{'path':'/v2/.*','do':'early','status':401,'headers':{'WWW-Authenticate':'Basic realm=^r^'}}]", NULL);
    assert_int_equal(begin(&(mlr_call){.request = {.method = "PUT", .url = "/v2/x", .body = data, .body_bytes = 3000000}, .scope = PULL}, NULL), 200);
    assert_logged(&t.b, 1, "'body_bytes': 3000000");
    free(data);
}

/* 0.0.0.0 is this machine, but not by a name that may be trusted to be. */
static void test_client__no_password_over_plain_http(void **state)
{
    char base[64];

    (void)state;
    open_client("[" LETS_IN "," ASKS "]", NULL);
    snprintf(base, sizeof base, "http://0.0.0.0:%d", t.b.evil.port);
    mlr_client_free(t.client);
    assert_int_equal(mlr_client_new(t.b.rt, base, "plain.example", &as_ann, &t.client, NULL), 0);
    assert_failed(&t.b, get("/v2/x"), MLREG_EDENIED, "plain http");
    assert_non_null(strstr(t.b.err->message, "plain.example"));
    assert_non_null(t.b.err->hint);
    assert_int_equal(asked("Authorization"), 0);
}

static void test_client__one_connection_is_enough(void **state)
{
    mlr_limits one = {.connections = 1};

    (void)state;
    open_client("[{'path':'/token.*','body':'{^token^:^t1^}'}, {'path':'/there','body':'ok'},"
                " {'path':'/busy','times':1,'status':503},"
                " {'path':'/v2/.*','header':{'Authorization':'Bearer t1'},'status':307,'headers':{'Location':'/busy'}},"
                " {'path':'/v2/.*','status':401,'headers':{'WWW-Authenticate':'Bearer realm=^$URL/token^'}, 'body':'long'}, {}]", NULL);
    mlr_client_free(t.client);
    mlr_runtime_unref(t.b.rt);
    assert_int_equal(mlr_runtime_new(&one, &t.b.rt, NULL), 0);
    mlr_http_free(t.b.http);
    t.b.http = NULL;
    assert_int_equal(mlr_client_new(t.b.rt, t.b.evil.url, t.b.evil.host, &as_ann, &t.client, NULL), 0);
    assert_int_equal(get("/v2/x"), 200);
    assert_int_equal(asked("\"connection\": 1,"), asked(""));
}

/* ---- redirects ---- */

static void test_client__a_redirect_elsewhere_takes_nothing_along(void **state)
{
    mlr_header    headers[] = {{"Range", "bytes=0-3"}, {"Accept", "a/b"}, {"X-Secret", "hunter2"}, {"Cookie", "c"}};
    mlr_exchange *x = NULL;
    char         *line;

    (void)state;
    open_client("[{'path':'/v2/.*','header':{'Authorization':'Basic .*'},'status':307,'headers':{'Location':'@/blob?sig=1'}}," ASKS "]", NULL);
    assert_int_equal(begin(&(mlr_call){.request = {.method = "GET", .url = "/v2/x", .headers = headers, .n_headers = 4}, .scope = PULL, .follow = true}, &x), 200);
    assert_body(&t.b, x, "loot");
    assert_string_equal(mlr_exchange_host(x), t.thief.host);
    mlr_exchange_free(x);
    assert_logged(&t.b, 1, "'X-Secret'");
    line = bed_log_line(&t.thief, 0);
    assert_non_null(strstr(line, "/blob?sig=1"));
    assert_non_null(strstr(line, "bytes=0-3"));
    assert_non_null(strstr(line, "a/b"));
    assert_null(strstr(line, "hunter2"));
    assert_null(strstr(line, "Cookie"));
    assert_null(strstr(line, "Authorization"));
    free(line);
}

static void test_client__a_redirect_at_home_takes_all_along(void **state)
{
    (void)state;
    open_client("[{'path':'/v2/moved','header':{'Authorization':'Basic .*'},'status':308,'headers':{'Location':'../v2/here'}}," LETS_IN "," ASKS "]", NULL);
    assert_int_equal(get("/v2/moved"), 200);
    assert_logged(&t.b, 2, "'/v2/here'");
    assert_logged(&t.b, 2, "'Authorization'");
}

static void test_client__there_and_back_is_not_trusted_again(void **state)
{
    (void)state;
    open_client("[{'path':'/v2/x','header':{'Authorization':'Basic .*'},'status':302,'headers':{'Location':'@/go?$URL/v2/back'}}," ASKS "]", NULL);
    assert_int_equal(get("/v2/x"), 401);
    assert_logged(&t.b, 2, "'/v2/back'");
    assert_not_logged(&t.b, 2, "Authorization");
    assert_int_equal(asked(""), 3);
}

static void test_client__a_stranger_who_asks_gets_no_answer(void **state)
{
    (void)state;
    open_client("[{'path':'/v2/x','header':{'Authorization':'Basic .*'},'status':307,'headers':{'Location':'@/ask'}}," ASKS "]", NULL);
    assert_int_equal(get("/v2/x"), 401);
    assert_int_equal(bed_log_count(&t.thief, ""), 1);
}

/* On one machine there may be many that serve, told apart by their ports. */
static void assert_says_who(int rc, const char *says)
{
    char all[160];

    snprintf(all, sizeof all, "%s %s", t.b.evil.host, says);
    assert_failed(&t.b, rc, MLREG_EPROTO, all);
}

static void test_client__five_redirects_and_no_more(void **state)
{
    (void)state;
    open_client("[{'path':'/v2/[01234]','status':302,'headers':{'Location':'/v2/$COUNT'}},{'path':'/loop','status':307,'headers':{'Location':'/loop'}},{'body':'ok'}]", NULL);
    assert_int_equal(get("/v2/0"), 200);
    assert_int_equal(asked("/v2/"), 6);
    assert_says_who(get("/loop"), "redirects for the 6th time");
    assert_int_equal(asked("/loop"), 6);
}

static void test_client__redirects_to_nowhere(void **state)
{
    (void)state;
    open_client("[{'path':'/none','status':307},{'path':'/ftp','status':307,'headers':{'Location':'ftp://h/x'}},"
                " {'path':'/file','status':307,'headers':{'Location':'file:///etc/passwd'}}]", NULL);
    assert_says_who(get("/none"), "answered 307 without saying where to");
    assert_says_who(get("/ftp"), "redirects to nowhere");
    assert_says_who(get("/file"), "redirects to nowhere");
    assert_int_equal(asked(""), 3);
}

static void test_client__only_asking_is_redirected(void **state)
{
    static const char *const methods[] = {"PUT", "POST", "PATCH", "DELETE"};

    (void)state;
    open_client("[{'status':307,'headers':{'Location':'@/x'}}]", NULL);
    for (int i = 0; i < 4; i++)
        assert_int_equal(begin(&(mlr_call){.request = {.method = methods[i], .url = "/v2/x"}, .follow = true}, NULL), 307);
    assert_int_equal(begin(&(mlr_call){.request = {.method = "GET", .url = "/v2/x"}}, NULL), 307);
    assert_int_equal(bed_log_count(&t.thief, ""), 0);
}

static void test_client__https_does_not_become_http(void **state)
{
    char               dir[64], *cert, *key, location[64], says[160];
    mlr_client_options o = as_ann;

    (void)state;
    bed_dir_make(dir);
    bed_certificate(dir, &cert, &key);
    open_client("[]", NULL);
    mlr_client_free(t.client);
    bed_server_stop(&t.b.evil);
    bed_evil_start_tls(&t.b.evil, with_thief("[{'status':307,'headers':{'Location':'@/x'}}]"), cert, key, NULL);
    o.http.ca_file = cert;
    assert_int_equal(mlr_client_new(t.b.rt, t.b.evil.url, t.b.evil.host, &o, &t.client, NULL), 0);
    snprintf(says, sizeof says, "%s leads from https to plain http at %s, which", t.b.evil.host, t.thief.host);
    assert_failed(&t.b, get("/v2/x"), MLREG_EDENIED, says);
    snprintf(location, sizeof location, "%s/upload", t.thief.url);          /* as the Location of an upload may be */
    assert_failed(&t.b, begin(&(mlr_call){.request = {.method = "PUT", .url = location}, .scope = PULL}, NULL), MLREG_EDENIED, says);
    assert_int_equal(bed_log_count(&t.thief, ""), 0);
    bed_dir_remove(dir);
    free(cert);
    free(key);
}

static void test_client__an_upload_elsewhere_takes_its_own_headers_only(void **state)
{
    mlr_header headers[] = {{"Content-Type", "application/octet-stream"}};
    char       location[64], *line;

    (void)state;
    open_client("[" LETS_IN "," ASKS "]", NULL);
    assert_int_equal(get("/v2/x"), 200);
    snprintf(location, sizeof location, "%s/upload", t.thief.url);
    assert_int_equal(begin(&(mlr_call){.request = {.method = "PUT", .url = location, .headers = headers, .n_headers = 1, .body = "x", .body_bytes = 1}, .scope = PULL}, NULL), 200);
    line = bed_log_line(&t.thief, 0);
    assert_non_null(strstr(line, "octet-stream"));
    free(line);
}

/* ---- trouble ---- */

static void test_client__trouble_passes(void **state)
{
    (void)state;
    open_client("[{'path':'/500','times':1,'status':500},{'path':'/503','times':2,'status':503},{'path':'/408','times':1,'status':408},"
                " {'path':'/reset','times':1,'do':'reset'},{'path':'/close','times':2,'do':'close'},{'body':'ok'}]", NULL);
    assert_int_equal(get("/500"), 200);
    assert_int_equal(get("/503"), 200);
    assert_int_equal(get("/408"), 200);
    assert_int_equal(get("/reset"), 200);
    assert_int_equal(get("/close"), 200);
    assert_int_equal(asked(""), 12);
    assert_in_range(http_bed_stats(&t.b).retries, 5, 7);     /* what met a kept connection may have been sent again without */
}

static void test_client__what_must_not_be_repeated_is_not(void **state)
{
    (void)state;
    open_client("[{'path':'/503','status':503},{'path':'/close','do':'close'}]", NULL);
    assert_int_equal(begin(&(mlr_call){.request = {.method = "PATCH", .url = "/503", .body = "x", .body_bytes = 1}}, NULL), 503);
    assert_int_equal(begin(&(mlr_call){.request = {.method = "PATCH", .url = "/close", .body = "x", .body_bytes = 1}}, NULL), MLREG_ENET);
    assert_int_equal(asked(""), 2);
}

static void test_client__after_the_last_try_the_answer_stands(void **state)
{
    mlr_exchange *x = NULL;

    (void)state;
    open_client("[{'status':503,'body':'closed for today'}]", NULL);
    assert_int_equal(begin(&(mlr_call){.request = {.method = "GET", .url = "/"}, .again = true}, &x), 503);
    assert_body(&t.b, x, "closed for today");
    mlr_exchange_free(x);
    assert_int_equal(asked(""), 3);
}

static void test_client__retries_can_be_switched_off(void **state)
{
    mlr_client_options o = as_ann;

    (void)state;
    o.max_retries = (uint32_t)MLREG_NONE;
    open_client("[{'status':503}]", &o);
    assert_int_equal(get("/"), 503);
    assert_int_equal(asked(""), 1);
}

static void test_client__waits_as_long_as_it_is_told(void **state)
{
    (void)state;
    open_client("[{'times':1,'status':429,'headers':{'Retry-After':'17'}},{}]", NULL);
    assert_int_equal(get("/"), 200);
    assert_int_equal(slept_ms, 17000);
}

static void test_client__a_server_that_stalls_is_given_up(void **state)
{
    mlr_client_options o = as_ann;
    uint64_t           began = mlr_clock_ms();

    (void)state;
    o.http.stall_timeout_ms = 300;
    open_client("[{'do':'stall'}]", &o);
    assert_failed(&t.b, get("/"), MLREG_ETIMEDOUT, "did not answer");
    assert_in_range(mlr_clock_ms() - began, 900, 15000);
    assert_int_equal(asked(""), 3);
}

static void test_client__what_is_final_is_not_tried_again(void **state)
{
    (void)state;
    open_client("[{'status':404}]", NULL);
    assert_int_equal(get("/"), 404);
    assert_int_equal(get("/"), 404);
    assert_int_equal(asked(""), 2);
    assert_int_equal(http_bed_stats(&t.b).retries, 0);
}

/* ---- whole bodies ---- */

static int fetch(const char *url, mlr_buf *body, int *status, mlr_exchange **x)
{
    mlr_call call = {.request = {.method = "GET", .url = url}, .scope = PULL, .again = true, .follow = true};

    http_bed_clear(&t.b);
    return mlr_client_fetch(t.client, &call, t.b.op, status, body, x, &t.b.err);
}

static void test_client__fetches_the_whole_body(void **state)
{
    mlr_buf       body = MLR_BUF_INIT(100000);
    mlr_exchange *x = NULL;
    int           status = 0;

    (void)state;
    open_client("[{'size':100000,'headers':{'X':'y'}}]", NULL);
    assert_int_equal(fetch("/", &body, &status, &x), 0);
    assert_int_equal(status, 200);
    assert_int_equal(body.len, 100000);
    assert_true(bed_is_pattern(0, body.data, body.len));
    assert_string_equal(mlr_exchange_header(x, "X", 0), "y");
    mlr_exchange_free(x);
    mlr_buf_done(&body);
}

static void test_client__fetches_again_what_was_cut_short(void **state)
{
    mlr_buf body = MLR_BUF_INIT(100000);
    int     status = 0;

    (void)state;
    open_client("[{'times':1,'do':'cut','size':50000,'sent':40000},{'times':1,'do':'cut','size':50000,'sent':0},{'size':50000}]", NULL);
    assert_int_equal(mlr_buf_add(&body, "before", 6, NULL), 0);
    assert_int_equal(fetch("/", &body, &status, NULL), 0);
    assert_int_equal(body.len, 50006);
    assert_memory_equal(body.data, "before", 6);
    assert_true(bed_is_pattern(0, body.data + 6, 50000));
    mlr_buf_done(&body);
}

static void test_client__a_body_that_is_always_cut_short_fails(void **state)
{
    mlr_buf body = MLR_BUF_INIT(100000);
    int     status = 77;

    (void)state;
    open_client("[{'do':'cut','size':50000,'sent':40000}]", NULL);
    assert_failed(&t.b, fetch("/", &body, &status, NULL), MLREG_ENET, "broke off");
    assert_int_equal(status, 77);
    assert_int_equal(body.len, 0);
    assert_int_equal(asked(""), 3);
    mlr_buf_done(&body);
}

static void test_client__a_body_over_its_limit_fails_at_once(void **state)
{
    mlr_buf body = MLR_BUF_INIT(100000);
    int     status;

    (void)state;
    open_client("[{'path':'/over','size':100001},{'do':'endless_body'}]", NULL);
    assert_int_equal(fetch("/over", &body, &status, NULL), MLREG_ELIMIT);
    mlr_buf_clear(&body);
    assert_int_equal(fetch("/endless", &body, &status, NULL), MLREG_ELIMIT);
    assert_int_equal(asked(""), 2);
    mlr_buf_done(&body);
}

static void test_client__leaves_the_body_of_a_refusal(void **state)
{
    mlr_buf       body = MLR_BUF_INIT(10);
    mlr_exchange *x = NULL;
    int           status = 0;

    (void)state;
    open_client("[{'status':404,'body':'much longer than ten bytes'}]", NULL);
    assert_int_equal(fetch("/", &body, &status, &x), 0);
    assert_int_equal(status, 404);
    assert_int_equal(body.len, 0);
    assert_body(&t.b, x, "much longer than ten bytes");
    mlr_exchange_free(x);
    assert_int_equal(fetch("/", &body, &status, NULL), 0);
    assert_int_equal(status, 404);
    mlr_buf_done(&body);
}

/* ---- memory ---- */

struct scarce {
    int left;                              /* allocations until one fails; 0: it has */
};

static void *scarce_resize(void *user, void *p, size_t bytes)
{
    struct scarce *s = user;

    if (s->left > 0 && --s->left == 0)
        return NULL;
    return realloc(p, bytes);
}

static void scarce_release(void *user, void *p)
{
    (void)user;
    free(p);
}

/* Every allocation of a request that is authenticated, redirected, read and refused fails once. */
static void test_client__survives_lack_of_memory(void **state)
{
    struct scarce       scarce = {1};
    const mlr_allocator allocator = {scarce_resize, scarce_release, &scarce};
    int                 failures = 0;

    (void)state;
    open_client("[{'path':'/v2/x','header':{'Authorization':'Basic .*'},'status':307,'headers':{'Location':'@/blob'}}," ASKS
                ",{'path':'/no','status':403,'body':'{^errors^:[{^code^:^DENIED^}]}'}]", NULL);
    for (int n = 1; scarce.left == 0 || n == 1; n++) {
        mlr_buf       body = MLR_BUF_INIT(100);
        mlr_exchange *x = NULL;
        int           rc, status = 0;

        http_bed_clear(&t.b);
        mlr_client_free(t.client);
        t.client = NULL;
        scarce.left = n;
        mlr_alloc_use(&allocator);
        rc = mlr_client_new(t.b.rt, t.b.evil.url, t.b.evil.host, &as_ann, &t.client, &t.b.err);
        if (rc == 0)
            rc = fetch("/v2/x", &body, &status, NULL);
        if (rc == 0)
            rc = fetch("/no", &body, &status, &x);
        if (rc == 0)
            assert_int_equal(mlr_client_refused(t.client, x, "no", t.b.op, NULL), MLREG_EDENIED);
        mlr_exchange_free(x);
        mlr_alloc_use(NULL);
        if (rc != 0)
            assert_int_equal(rc, MLREG_ENOMEM);
        failures += rc != 0;
        mlr_buf_done(&body);
    }
    assert_true(failures > 30);
}

/* ---- the log ---- */

static void test_client__logs_without_secrets(void **state)
{
    (void)state;
    open_client("[{'path':'/v2/x.*','header':{'Authorization':'Basic .*'},'times':1,'status':503}, "
                " {'path':'/v2/x.*','header':{'Authorization':'Basic .*'},'status':307,'headers':{'Location':'@/blob?sig=hunter3'}}," ASKS "]", NULL);
    assert_int_equal(get("/v2/x?token=hunter4"), 200);
    assert_non_null(strstr(logged, "3 GET http://127.0.0.1"));
    assert_non_null(strstr(logged, "/v2/x: 401\n"));
    assert_non_null(strstr(logged, "/v2/x: 307\n"));
    assert_non_null(strstr(logged, "/blob: 200\n"));
    assert_non_null(strstr(logged, "2 trying again: "));
    assert_null(strstr(logged, "hunter"));
    assert_null(strstr(logged, "YW5u"));
}

static void test_client__shows_each_warning_once_and_clean(void **state)
{
    const char *first;

    (void)state;
    open_client("[{'headers':[['Warning','299 - ^this ^^^is^^^ deprecated\\u001b[31m^'],['Warning','110 - ^stale^'],['Warning','299 - ^second^']]}]", NULL);
    assert_int_equal(get("/"), 200);
    assert_int_equal(get("/"), 200);
    first = strstr(logged, " warns: ");
    assert_non_null(first);
    assert_null(strstr(logged, "\x1b"));
    assert_null(strstr(logged, "stale"));
    assert_non_null(strstr(logged, " warns: second\n"));
    assert_null(strstr(strstr(logged, " warns: second\n") + 1, " warns: "));
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_client__##name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(answers_401_once_and_remembers),
        TEST(without_a_scope_nothing_is_answered),
        TEST(loops_of_401_end),
        TEST(wrong_password),
        TEST(an_upload_is_authenticated_and_sent_again_whole),
        TEST(no_password_over_plain_http),
        TEST(one_connection_is_enough),
        TEST(a_redirect_elsewhere_takes_nothing_along),
        TEST(a_redirect_at_home_takes_all_along),
        TEST(there_and_back_is_not_trusted_again),
        TEST(a_stranger_who_asks_gets_no_answer),
        TEST(five_redirects_and_no_more),
        TEST(redirects_to_nowhere),
        TEST(only_asking_is_redirected),
        TEST(https_does_not_become_http),
        TEST(an_upload_elsewhere_takes_its_own_headers_only),
        TEST(trouble_passes),
        TEST(what_must_not_be_repeated_is_not),
        TEST(after_the_last_try_the_answer_stands),
        TEST(retries_can_be_switched_off),
        TEST(waits_as_long_as_it_is_told),
        TEST(a_server_that_stalls_is_given_up),
        TEST(what_is_final_is_not_tried_again),
        TEST(fetches_the_whole_body),
        TEST(fetches_again_what_was_cut_short),
        TEST(a_body_that_is_always_cut_short_fails),
        TEST(a_body_over_its_limit_fails_at_once),
        TEST(leaves_the_body_of_a_refusal),
        TEST(survives_lack_of_memory),
        TEST(logs_without_secrets),
        TEST(shows_each_warning_once_and_clean),
    };

    return cmocka_run_group_tests_name("net/client", tests, NULL, NULL);
}
