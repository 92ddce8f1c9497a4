/* place/upload_resume.c - an upload that goes on where a killed process left it. */
#include "place/upload_parts.h"

#include "base/alloc.h"
#include "base/error.h"

/* PATCH of what is missing, to the session that u->location names. The registry's word is all there is on how much it holds: if it is
 * wrong, the digest will not fit in the end, and all is sent anew. */
static int send_rest(mlr_upload *u, mlreg_error **err)
{
    uint64_t held = 0;
    int      rc = mlr_upload_held(u, &held, err);

    if (rc < 0)
        return rc;
    if (held == 0 || held > u->source.reader.bytes)
        return mlr_error_set(err, MLREG_EPROTO, "the registry holds nothing of it");
    if ((rc = mlr_upload_source_skip(&u->source, held, u->op, err)) < 0)
        return rc;
    u->from = held;
    if (held < u->source.reader.bytes && (rc = mlr_upload_patch(u, err)) < 0)
        return rc;
    mlr_op_count(u->op, MLR_N_BYTES_RESUMED, (int64_t)held);
    return 0;
}

/* What is nobody's fault but that of the source or of whoever cancelled is final. */
static bool is_final(const mlr_upload *u, int rc)
{
    return rc == MLREG_ECANCELLED || rc == MLREG_ENOMEM || rc == MLREG_EIO || rc == MLREG_EDIGEST ||
           (rc == MLREG_EEXISTS && u->source.found.text[0] != '\0');
}

int mlr_upload_go_on(mlr_upload *u, mlreg_error **err)
{
    mlreg_error *why = NULL;
    int          rc;

    if (u->source.reader.bytes < MLR_UPLOAD_MOVED)
        return 0;
    mlr_resume_open(&u->resume, u->g->base, u->repo, u->source.from, &u->digest, &u->location);
    if (u->location == NULL)
        return 0;
    if ((rc = send_rest(u, &why)) == 0)
        return 1;
    if (is_final(u, rc)) {
        mlr_error_move(err, &why);
        return rc;
    }
    mlr_error_done(why);
    mlr_resume_forget(&u->resume);
    mlr_free(u->location);
    u->location = NULL;
    u->from = 0;
    u->status = 0;
    return 0;
}
