/* place/upload.c - blobs on their way into a registry: one session at a time; any doubt begins a new one at byte 0. */
#include "place/upload_parts.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "place/intake.h"

#define REFUSALS_MAX 3            /* of whole blobs, whichever way they were sent */

void mlr_upload_init(mlr_upload *u, mlr_registry *g, const char *repo, const mlr_digest *digest, mlr_reader *r,
                     mlr_op *op)
{
    *u = (mlr_upload){.g = g, .repo = repo, .op = op, .resume = MLR_RESUME_INIT, .retry = mlr_registry_retry(g)};
    if (digest != NULL)
        u->digest = *digest;
    mlr_upload_source_init(&u->source, r, digest);
}

void mlr_upload_done(mlr_upload *u, int rc)
{
    mlr_resume_done(&u->resume, rc != MLREG_ECANCELLED && !mlr_retry_code(rc));
    mlr_error_done(u->first);
    mlr_free(u->location);
}

/* ---- one session ---- */

/* One session with all bytes: POST and PUT, or POST, one PATCH and PUT for registries that want it so. */
static int send_all(mlr_upload *u, mlreg_error **err)
{
    int rc = mlr_upload_begin(u, err);

    if (rc == 0 && u->streamed && u->source.reader.bytes > 0)
        rc = mlr_upload_patch(u, err);
    return rc < 0 ? rc : mlr_upload_put(u, !u->streamed && u->source.reader.bytes > 0, err);
}

/* ---- what a failure means ---- */

/* Whether an answer may be about the way in which the blob was sent. */
bool mlr_upload_is_refusal(int status)
{
    static const int statuses[] = {400, 404, 405, 411, 415, 416, 501};

    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++)
        if (status == statuses[i])
            return true;
    return false;
}

/* These leave no doubt that it was; the others may also mean that the session was lost. */
static bool is_about_the_way(int status)
{
    return status == 405 || status == 411 || status == 415 || status == 501;
}

/* Whether the blob may be there all the same, or a new session may fare better. What the source failed with, lacking
 * rights, too large a blob and a session that may not begin are final. */
bool mlr_upload_is_doubt(const mlr_upload *u, int rc)
{
    if (u->status == 0)
        return mlr_retry_code(rc);
    return mlr_retry_status(u->status) || (u->location != NULL && (mlr_upload_is_refusal(u->status) || u->status >= 500));
}

static int is_there(mlr_upload *u, mlreg_error **err)
{
    mlr_blob     b = {u->repo, u->digest, u->source.reader.bytes, NULL};
    mlreg_error *why = NULL;
    int          rc = mlr_registry_blob_look(u->g, &b, false, u->op, &why);

    if (rc == MLREG_ECANCELLED || rc == MLREG_ENOMEM)
        mlr_error_move(err, &why);
    else if (rc < 0)
        rc = 0;                          /* nobody can tell: send it again */
    mlr_error_done(why);
    return rc;
}

static void learn(mlr_registry *g, bool streamed)
{
    mlr_hostfacts_forget(&g->facts, streamed ? MLR_FACT_NO_STREAMED_PATCH : MLR_FACT_NO_MONOLITHIC);
    mlr_hostfacts_learn(&g->facts, streamed ? MLR_FACT_NO_MONOLITHIC : MLR_FACT_NO_STREAMED_PATCH);
}

/* Bytes that were not hashed on their way, because they had been when they were stored: still the same? */
static int check_source(mlr_upload *u, mlreg_error **err)
{
    mlr_digest got;
    int        rc = mlr_intake(u->g->place.rt, u->source.from, NULL, NULL, u->op, &got, err);

    return rc < 0 ? rc : mlr_digest_check(&got, &u->digest, u->source.reader.name, err);
}

enum { GIVE_UP = 0, TRY_AGAIN = 1, ARRIVED = 2 };   /* the first two as mlr_retry_again says them */

/* After a refusal: once more in the same way if the session may just have been lost, else in the other. */
static int judge_refusal(mlr_upload *u, int rc, mlreg_error **why)
{
    if (u->refusals++ == 0) {
        mlr_error_move(&u->first, why);
        u->first_rc = rc;
    }
    if (u->refusals == REFUSALS_MAX)
        return GIVE_UP;
    mlr_op_count(u->op, MLR_N_RETRIES, 1);
    if (u->refusals > 1 || is_about_the_way(u->status))
        u->streamed = !u->streamed;
    return TRY_AGAIN;
}

/* What to do after a try that failed with `rc` and *why; negative: what looking or waiting failed with. */
static int judge(mlr_upload *u, int rc, mlreg_error **why, mlreg_error **err)
{
    int there;

    if (!mlr_upload_is_doubt(u, rc))
        return GIVE_UP;
    if ((there = is_there(u, err)) != 0)
        return there < 0 ? there : ARRIVED;
    if (mlr_upload_is_refusal(u->status))
        return judge_refusal(u, rc, why);
    if (u->source.at >= MLR_UPLOAD_MOVED)
        u->retry.began_ms = mlr_clock_ms();
    return mlr_retry_again(&u->retry, u->retry_after[0] != '\0' ? u->retry_after : NULL, u->op, err);
}

/* The failure to tell: the source's fault if it is one, else the first refusal, else the last failure. */
static int give_up(mlr_upload *u, int rc, mlreg_error **why, mlreg_error **err)
{
    mlreg_error *found = NULL;

    if (u->refusals > 0 && u->source.is_good && check_source(u, &found) == MLREG_EDIGEST) {
        mlr_error_move(err, &found);
        return MLREG_EDIGEST;
    }
    mlr_error_done(found);
    mlr_error_move(err, u->refusals > 0 ? &u->first : why);
    return u->refusals > 0 ? u->first_rc : rc;
}

/* Sends until it is there. The first way is the one that this registry took before. */
static int run(mlr_upload *u, mlreg_error **err)
{
    bool began = u->streamed = mlr_hostfacts_know(&u->g->facts, MLR_FACT_NO_MONOLITHIC);
    int  rc = mlr_upload_go_on(u, err), next;

    if (rc < 0 || (rc == 1 && mlr_upload_put(u, false, NULL) == 0))
        return rc < 0 ? rc : 0;
    do {
        mlreg_error *why = NULL;

        rc = send_all(u, &why);
        next = rc == 0 ? ARRIVED : judge(u, rc, &why, err);
        if (next == GIVE_UP)
            rc = give_up(u, rc, &why, err);
        mlr_error_done(why);
    } while (next == TRY_AGAIN);
    if (rc == 0 && u->streamed != began)
        learn(u->g, u->streamed);
    return next == ARRIVED ? 0 : next < 0 ? next : rc;
}

/* ---- the operations ---- */

static int check_empty(const mlr_blob *b, const mlr_reader *r, mlreg_error **err)
{
    mlr_digest got;

    mlr_digest_of("", 0, &got);
    return b->bytes > 0 ? 0 : mlr_digest_check(&got, &b->digest, r->name, err);
}

int mlr_upload_write(mlr_registry *g, const mlr_blob *b, mlr_reader *r, bool hashed, mlr_op *op, mlreg_error **err)
{
    mlr_upload u;
    int        rc = check_empty(b, r, err);

    if (rc == 0 && b->bytes >= MLR_UPLOAD_ASK_FIRST)
        rc = mlr_registry_blob_has(&g->place, b, op, err);
    if (rc != 0)
        return rc < 0 ? rc : 0;
    mlr_upload_init(&u, g, b->repo, &b->digest, r, op);
    u.source.is_good = r->trusted || hashed;
    rc = run(&u, err);
    mlr_upload_done(&u, rc);
    return rc;
}

int mlr_registry_blob_write(mlr_place *p, const mlr_blob *b, mlr_reader *r, mlr_op *op, mlreg_error **err)
{
    return mlr_upload_write((mlr_registry *)p, b, r, false, op, err);
}
