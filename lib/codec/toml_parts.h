/* codec/toml_parts.h - what the files of the room toml share: a text that is read character by character, and the parts of a line. */
#ifndef MLR_CODEC_TOML_PARTS_H
#define MLR_CODEC_TOML_PARTS_H
#include <stdbool.h>

#include "codec/toml.h"

/* toml_text.c */
int  mlr_toml_fault(const mlr_toml *t, const char *what, mlreg_error **err);   /* EPROTO, with the line */
mlr_buf mlr_toml_buf(const mlr_toml *t);        /* holds any name or string of the text: none becomes longer by being read */
char mlr_toml_peek(const mlr_toml *t);          /* '\0': the end */
bool mlr_toml_accept(mlr_toml *t, const char *word);
void mlr_toml_skip_blanks(mlr_toml *t);
bool mlr_toml_skip_to_end(mlr_toml *t);         /* blanks and a comment; whether the line ends here */
void mlr_toml_skip_lines(mlr_toml *t);
bool mlr_toml_is_bare(char c);                  /* it needs no quotes */
int  mlr_toml_key(mlr_toml *t, mlr_buf *out, mlreg_error **err);               /* "a.b", as in mlr_toml_item */
int  mlr_toml_string(mlr_toml *t, mlr_buf *out, mlreg_error **err);            /* appends what stands between the quotes */

/* toml_value.c */
int  mlr_toml_value(mlr_toml *t, mlr_toml_item *out, mlreg_error **err);       /* a string's text goes to t->text */
#endif
