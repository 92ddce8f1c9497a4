/* place/registry_reader_parts.h - what the files of the room registry_reader share: a blob of a registry as it arrives. */
#ifndef MLR_PLACE_REGISTRY_READER_PARTS_H
#define MLR_PLACE_REGISTRY_READER_PARTS_H
#include "place/registry.h"
#include "place/registry_ask.h"

/* Keeps one answer open while reads follow each other. Any jump, and any break, asks the registry again, never where it
 * redirected to: such addresses expire (PROTOCOL.md §5). */
typedef struct mlr_blob_reader {
    mlr_reader    reader;
    mlr_registry *g;
    mlr_ask       ask;
    char          range[64];
    mlr_exchange *x;          /* NULL: none open */
    uint64_t      at;         /* the offset of the next byte that x gives … */
    uint64_t      end;        /* … and of the first that it does not */
    uint64_t      last;       /* where the last read ended: reading on from here is worth a long answer */
    uint64_t      until;      /* reads are planned to there; 0: nobody said */
    uint64_t      since;      /* where this run of reads began, or was last resumed */
    bool          is_elsewhere;  /* at a stranger's address, whose ways are not the registry's */
    bool          is_twin;    /* of ranges alone, and once: there is another that gets the bytes however it can */
    mlr_retry     retry;      /* of what breaks off and of asking for the rest; the client does not repeat that */
    char          retry_after[MLR_RETRY_AFTER_MAX];
    char          name[MLR_DIGEST_TEXT + 8];
    mlr_blob      blob;       /* for twins; the repository's name is the caller's */
} mlr_blob_reader;

void    mlr_answer_hang_up(mlr_blob_reader *b);
/* Opens an answer for [offset, end): it holds the byte at `offset`, at its beginning or later on. */
int     mlr_answer_ask(mlr_blob_reader *b, uint64_t offset, uint64_t end, mlr_op *op, mlreg_error **err);
/* At least one byte from `offset`, out of the answer that is open, or of a new one; once: nothing is tried again. */
int64_t mlr_answer_read(mlr_blob_reader *b, uint64_t offset, void *buf, size_t len, mlr_op *op, mlreg_error **err);
#endif
