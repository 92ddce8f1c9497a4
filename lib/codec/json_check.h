/* codec/json_check.h - what the validator finds: that a text is sound JSON, and where each value stands in it. */
#ifndef MLR_CODEC_JSON_CHECK_H
#define MLR_CODEC_JSON_CHECK_H
#include "codec/json.h"

typedef struct mlr_json_token {
    uint32_t at, len;      /* the value's bytes in the text */
    uint32_t count;        /* members or elements */
    uint32_t span;         /* values in this tree, itself included: the next sibling is so far ahead */
} mlr_json_token;
/* In the order in which the values begin. */
typedef struct mlr_json_tokens { mlr_json_token *items; size_t n, cap; } mlr_json_tokens;
#define MLR_JSON_TOKENS_INIT { NULL, 0, 0 }

/* Codes as mlr_json_parse. `tokens` may be NULL: nobody wants to know. No recursion: the stack it needs is fixed. */
int  mlr_json_check(const mlr_json_rules *rules, const char *text, size_t len, const char *name,
                    mlr_json_tokens *tokens, mlreg_error **err);
void mlr_json_tokens_done(mlr_json_tokens *t);
#endif
