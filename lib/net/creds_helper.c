/* net/creds_helper.c - docker-credential-*: what they are asked, and what their answers mean. */
#include "net/creds_helper.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/run.h"
#include "codec/json.h"
#include "net/creds_key.h"

#define LIMIT_MS         30000          /* some ask a cloud, or wait for a person */
#define SUFFIX_MAX_BYTES 64
#define QUOTE_MAX_BYTES  200            /* of what a helper says, in our message */
#define TOKEN_USER       "<token>"      /* the user name that makes the secret an identity token */
#define NOT_FOUND        "credentials not found in native keychain"

typedef struct asked {
    const char      *verb;
    char            *program;
    int              failure;           /* the code of all that goes wrong with the helper */
    const char      *secret;            /* what must not be quoted; or NULL */
    mlr_run_answer   answer;
} asked;

static const char file_name_characters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";

static int program_of(const char *suffix, char **program, mlreg_error **err)
{
    size_t len = strlen(suffix);

    if (len == 0 || len > SUFFIX_MAX_BYTES || strspn(suffix, file_name_characters) != len)
        return mlr_error_set(err, MLREG_EPROTO, "\"%.64s\" is no name of a credential helper", suffix);
    *program = mlr_asprintf("docker-credential-%s", suffix);
    return *program != NULL ? 0 : mlr_error_nomem(err);
}

/* The length of the first line of `said` if it can be shown, else 0: a sentence (a lone word might be a token), no
 * JSON, nothing that holds the secret. */
static size_t quotable(const mlr_buf *said, const char *secret)
{
    const char *text = said->data != NULL ? said->data : "";
    size_t      len = strcspn(text, "\r\n");

    if (memchr(text, ' ', len) == NULL || strchr(text, '{') != NULL ||
        (secret != NULL && secret[0] != '\0' && strstr(text, secret) != NULL))
        return 0;
    return len < QUOTE_MAX_BYTES ? len : QUOTE_MAX_BYTES;
}

static int failed(const asked *a, const char *host, const char *why, mlreg_error **err)
{
    return mlr_error_hint(err, mlr_error_set(err, a->failure, "%s %s %s: %s", a->program, a->verb, host, why),
        "see for yourself: echo %s | %s get", mlr_creds_key_of(host), a->program);
}

/* A failure that the helper reports by its exit status. docker's own helpers explain themselves on stdout. */
static int failed_by_itself(const asked *a, const char *host, mlreg_error **err)
{
    const mlr_buf *said = quotable(&a->answer.said, a->secret) > 0 ? &a->answer.said : &a->answer.out;
    size_t         len = quotable(said, a->secret);
    char          *why;
    int            rc;

    if (a->answer.exit_status < 0)
        why = mlr_strdup("how it ended is not known, for this process has its children reaped elsewhere");
    else
        why = mlr_asprintf("exit status %d%s%.*s", a->answer.exit_status, len > 0 ? ", " : "", (int)len,
            len > 0 ? said->data : "");
    rc = why != NULL ? failed(a, host, why, err) : mlr_error_nomem(err);
    mlr_free(why);
    return rc;
}

/* Runs it. What goes wrong becomes a->failure, with the reason in the message; only cancelling and want of memory
 * stay what they are. */
static int run(asked *a, const char *host, const mlr_buf *input, mlr_op *op, mlreg_error **err)
{
    const char  *argv[] = {a->program, a->verb, NULL};
    mlreg_error *e = NULL;
    int          rc = mlr_run(a->program, argv, input, LIMIT_MS, op, &a->answer, &e);

    if (rc == MLREG_ECANCELLED || rc == MLREG_ENOMEM) {
        mlr_error_move(err, &e);
        return rc;
    }
    if (rc < 0)
        rc = failed(a, host, e->message, err);
    mlr_error_done(e);
    return rc;
}

/* Trimmed, as docker compares it. */
static bool says_not_found(const mlr_run_answer *answer)
{
    const char *text = answer->out.data != NULL ? answer->out.data : "";

    text += strspn(text, " \t\r\n");
    return strncmp(text, NOT_FOUND, strlen(NOT_FOUND)) == 0 &&
           text[strlen(NOT_FOUND) + strspn(text + strlen(NOT_FOUND), " \t\r\n")] == '\0';
}

/* {"Username", "Secret"}: 1; 0 where both are empty (what Debian's docker-credential-pass says of an entry that it
 * lacks); EPROTO for anything else. */
static int read_answer(const mlr_buf *text, mlr_creds *out)
{
    mlr_json   *root = NULL;
    const char *name, *secret;
    bool        is_token;
    int         rc;

    if (text->len == 0)
        return MLREG_EPROTO;
    if ((rc = mlr_json_parse(text->data, text->len, "answer", &root, NULL)) < 0)
        return rc == MLREG_ENOMEM ? rc : MLREG_EPROTO;
    name = mlr_json_string(mlr_json_get(root, "Username"));
    secret = mlr_json_string(mlr_json_get(root, "Secret"));
    is_token = name != NULL && strcmp(name, TOKEN_USER) == 0;
    if (name == NULL || secret == NULL)
        rc = MLREG_EPROTO;
    else if (name[0] != '\0' || secret[0] != '\0')
        rc = mlr_creds_set(out, is_token ? MLR_CREDS_IDENTITY : MLR_CREDS_BASIC, name, secret, NULL);
    if (rc == 0 && out->kind != MLR_CREDS_NONE)
        rc = 1;
    mlr_json_free(root);
    return rc >= 0 || rc == MLREG_ENOMEM ? rc : MLREG_EPROTO;
}

/* "KEY\n", what every verb but store reads. A key of two lines could be read as two. */
static int ask_by_key(asked *a, const char *host, mlr_op *op, mlreg_error **err)
{
    mlr_buf input = MLR_BUF_INIT(MLR_RUN_INPUT_MAX_BYTES);
    int     rc;

    for (const char *p = host; *p != '\0'; p++)
        if (*p > 0 && (*p <= ' ' || *p == 0x7f))
            return mlr_error_set(err, MLREG_EINVAL, "\"%s\" is no name of a registry", host);
    if ((rc = mlr_buf_printf(&input, err, "%s\n", mlr_creds_key_of(host))) == 0)
        rc = run(a, host, &input, op, err);
    mlr_buf_done(&input);
    return rc;
}

int mlr_creds_helper_get(const char *suffix, const char *host, mlr_op *op, mlr_creds *out, mlreg_error **err)
{
    asked a = {.verb = "get", .failure = MLREG_EAUTH, .answer = MLR_RUN_ANSWER_INIT};
    int   rc;

    if ((rc = program_of(suffix, &a.program, err)) < 0 || (rc = ask_by_key(&a, host, op, err)) < 0)
        goto out;
    if (a.answer.exit_status != 0 && says_not_found(&a.answer))
        goto out;                                      /* 0: none */
    if (a.answer.exit_status > 0)
        rc = failed_by_itself(&a, host, err);
    else if ((rc = read_answer(&a.answer.out, out)) == MLREG_ENOMEM)
        rc = mlr_error_nomem(err);
    else if (rc < 0 && a.answer.exit_status < 0)
        rc = failed_by_itself(&a, host, err);
    else if (rc < 0)
        rc = failed(&a, host, "its answer is not the JSON of a user name and a secret", err);
out:
    mlr_run_answer_done(&a.answer);
    mlr_free(a.program);
    return rc;
}

static int put_entry(mlr_buf *to, const char *host, const char *name, const char *secret, mlreg_error **err)
{
    mlr_json_out o;
    int          rc = mlr_buf_reserve(to, to->max, err);      /* at once: what grows leaves copies behind */

    if (rc < 0)
        return rc;
    mlr_json_begin(&o, to, err);
    mlr_json_open(&o, NULL, '{');
    mlr_json_put_string(&o, "ServerURL", mlr_creds_key_of(host));
    mlr_json_put_string(&o, "Username", name);
    mlr_json_put_string(&o, "Secret", secret);
    mlr_json_close(&o, '}');
    return mlr_json_end(&o);
}

int mlr_creds_helper_store(const char *suffix, const char *host, const char *name, const char *secret, mlr_op *op,
    mlreg_error **err)
{
    asked   a = {.verb = "store", .failure = MLREG_EIO, .secret = secret, .answer = MLR_RUN_ANSWER_INIT};
    mlr_buf input = MLR_BUF_INIT(MLR_RUN_INPUT_MAX_BYTES);
    int     rc;

    if ((rc = program_of(suffix, &a.program, err)) == 0 && (rc = put_entry(&input, host, name, secret, err)) == 0 &&
        (rc = run(&a, host, &input, op, err)) == 0 && a.answer.exit_status != 0)
        rc = failed_by_itself(&a, host, err);
    mlr_buf_wipe(&input);
    mlr_run_answer_done(&a.answer);
    mlr_free(a.program);
    return rc;
}

/* Whether there is something to erase. A helper that cannot say is asked to erase. */
static int has_entry(const char *suffix, const char *host, mlr_op *op, mlreg_error **err)
{
    mlr_creds    found = {0};
    mlreg_error *e = NULL;
    int          rc = mlr_creds_helper_get(suffix, host, op, &found, &e);

    mlr_creds_done(&found);
    if (rc == MLREG_EAUTH) {
        mlr_error_done(e);
        return 1;
    }
    mlr_error_move(err, &e);
    return rc;
}

int mlr_creds_helper_erase(const char *suffix, const char *host, mlr_op *op, mlreg_error **err)
{
    asked a = {.verb = "erase", .failure = MLREG_EIO, .answer = MLR_RUN_ANSWER_INIT};
    int   rc;

    if ((rc = has_entry(suffix, host, op, err)) <= 0 || (rc = program_of(suffix, &a.program, err)) < 0 ||
        (rc = ask_by_key(&a, host, op, err)) < 0)
        goto out;
    if (a.answer.exit_status == 0)
        rc = 1;
    else if (!says_not_found(&a.answer))
        rc = failed_by_itself(&a, host, err);
out:
    mlr_run_answer_done(&a.answer);
    mlr_free(a.program);
    return rc;
}
