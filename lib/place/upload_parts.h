/* place/upload_parts.h - one blob on its way into a registry; for upload.c, upload_session.c and upload_take.c alone. */
#ifndef MLR_PLACE_UPLOAD_PARTS_H
#define MLR_PLACE_UPLOAD_PARTS_H
#include "place/registry.h"
#include "place/registry_ask.h"
#include "place/resume.h"
#include "place/upload_source.h"

#define MLR_UPLOAD_ASK_FIRST (1u << 20)   /* bytes; a smaller blob is sent as fast as it is asked for, and hashed faster */
/* Bytes; more than buffers on the way hold: a server that took these has not stalled, and may think about them for minutes. */
#define MLR_UPLOAD_MOVED     (16u << 20)

/* One blob on its way. A session is only ever used once: what a registry kept of a broken one is not believed, since
 * some append and some forget (PROTOCOL.md §4). The one exception is what a killed process left: upload_resume.c. */
typedef struct mlr_upload {
    mlr_registry     *g;
    const char       *repo;
    mlr_digest        digest;        /* "" while it is not known */
    mlr_upload_source source;
    mlr_op           *op;
    bool              streamed;      /* POST, PATCH, PUT in place of POST and PUT */
    char             *location;      /* of the session, as the registry last named it; NULL: none was begun */
    uint64_t          from;          /* byte from which on the session is sent the rest */
    mlr_resume        resume;        /* where it is noted */
    int               status;        /* of the answer that refused it; 0: none did */
    char              retry_after[MLR_RETRY_AFTER_MAX];
    mlr_retry         retry;
    unsigned          refusals;      /* of whole blobs; the first of them is what is told in the end: */
    mlreg_error      *first;
    int               first_rc;
} mlr_upload;


/* upload_session.c: requests of one session. */
int mlr_upload_begin(mlr_upload *u, mlreg_error **err);
int mlr_upload_patch(mlr_upload *u, mlreg_error **err);                 /* all bytes; what the registry says it holds is checked */
int mlr_upload_put(mlr_upload *u, bool with_body, mlreg_error **err);   /* the end of it */
int mlr_upload_held(mlr_upload *u, uint64_t *bytes, mlreg_error **err); /* as the registry says; 0: nothing, or what may mean that */
void mlr_upload_drop(mlr_upload *u);                                    /* the registry need not keep what it has of it */

/* upload_resume.c: goes on with the session that a killed process left. 1: all bytes are there, the end (put) is missing; 0: there is
 * none or it is of no use, begin a new one; negative: cancelled, or the source failed. */
int mlr_upload_go_on(mlr_upload *u, mlreg_error **err);

/* upload.c */
void mlr_upload_init(mlr_upload *u, mlr_registry *g, const char *repo, const mlr_digest *digest, mlr_reader *r, mlr_op *op);
void mlr_upload_done(mlr_upload *u, int rc);              /* what it ended with: whether its session may be of use still */
bool mlr_upload_is_refusal(int status);                  /* whether an answer may be about the way in which the blob was sent */
bool mlr_upload_is_doubt(const mlr_upload *u, int rc);   /* whether it may be there all the same, or a new session may fare better */
/* blob_write; `hashed`: the reader's bytes had that digest when it was opened, and it tells if they change. */
int mlr_upload_write(mlr_registry *g, const mlr_blob *b, mlr_reader *r, bool hashed, mlr_op *op, mlreg_error **err);
#endif
