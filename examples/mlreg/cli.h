/* cli.h - what the commands of the program share. It is built on the public header alone. */
#ifndef CLI_H
#define CLI_H
#include <mlreg.h>
#include <stdbool.h>
#include <stdio.h>

#include "shown.h"

enum { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };
#define MAX_WORDS  256     /* words of one command line, and values of one option */
#define NAME_BYTES 1200    /* room for any name: host, repository, tag, digest */
#define HINT_BYTES 1400    /* and for a sentence with one */

typedef struct cli {
    const char *words[MAX_WORDS]; size_t n_words;          /* what is no option */
    const char *store, *output, *range, *user, *grace, *ca_file;
    const char *variant, *platform, *accelerator, *precision, *host;   /* which entry of an index */
    const char *tags[MAX_WORDS]; size_t n_tags;            /* -t */
    const char *include[MAX_WORDS]; size_t n_include;
    const char *exclude[MAX_WORDS]; size_t n_exclude;
    const char *annotations[MAX_WORDS]; size_t n_annotations;
    const char *base, *model, *pip, *workdir, *run_as, *path;
    const char *add[MAX_WORDS]; size_t n_add;
    const char *layers[MAX_WORDS]; size_t n_layers;
    const char *env[MAX_WORDS]; size_t n_env;
    const char *labels[MAX_WORDS]; size_t n_labels;
    const char *ports[MAX_WORDS]; size_t n_ports;
    const char *entrypoint[MAX_WORDS]; size_t n_entrypoint;
    const char *cmd[MAX_WORDS]; size_t n_cmd;
    const char *group;                                     /* the first word of a command of two, once it is read */
    bool gzip, zstd;
    const char *listen, *htpasswd, *token_file, *cert, *key, *upstream;                 /* of serve */
    const char *max_bytes, *min_free, *max_connections, *max_rate;
    bool read_only;
    bool plain_http, json, quiet, verbose, move, referrers, dry_run, repair, password_stdin, unverified, stats, help;
    bool one_variant, all_variants, explain, foreign;
} cli;

typedef struct command {
    const char *name, *arguments, *what;                   /* name: one word or two */
    size_t least, most;                                    /* words */
    const char *options;                                   /* beside the common ones, as in "-t --move" */
    const char *json;                                      /* the shape of what --json prints; NULL: no data */
    int (*run)(cli *c);
} command;
extern const command commands[];                           /* ends with a NULL name */
int  args_parse(cli *c, char **argv, const command **out); /* EXIT_OK, or EXIT_USAGE with the reason said */
bool args_listed(const char *list, const char *name);      /* whether the blank-separated list holds name's first word */
void usage(FILE *to);
void usage_of(FILE *to, const command *cmd);

/* A place that a word stands for, opened, and the name within it. */
typedef struct spot {
    mlreg_session *session;
    mlreg_name *name;                                      /* NULL for a folder */
    const char *folder;                                    /* what "dir:" names, else NULL */
    char ref[NAME_BYTES], repository[NAME_BYTES];          /* within the session */
    char shown[NAME_BYTES];                                /* for people: as it was written */
    bool remote;                                           /* a registry: tags move only when asked */
    bool stored;                                           /* the store of this program */
} spot;                                                    /* session NULL: it is not there yet, and spot_make makes it */
enum {
    SPOT_WRITE     = 1 << 0,   /* made if it is not there */
    SPOT_LATER     = 1 << 7,   /* the same, but only by spot_make: once what goes there is known to be had */
    SPOT_NEEDS_ONE = 1 << 1,   /* a tag or a digest */
    SPOT_NEEDS_TAG = 1 << 2,   /* a digest will not do: it is not known yet */
    SPOT_REGISTRY  = 1 << 3,   /* nothing else will do */
    SPOT_FOLDER    = 1 << 4,   /* "dir:DIR" will do, too */
    SPOT_STORED    = 1 << 5,   /* the store, whatever host is written: the name is kept whole */
    SPOT_CLOSED    = 1 << 6    /* taken apart alone, not opened */
};
int  spot_open(cli *c, const char *text, unsigned how, spot *out);     /* EXIT_*, said on stderr; close it whatever came */
int  spot_make(cli *c, spot *s);                           /* EXIT_*, said on stderr */
void spot_take_tag(spot *to, const spot *from);            /* where `to` has neither tag nor digest it takes from's */
/* What to do if what failed is that the name is not there; else NULL. */
const char *spot_hint(const spot *s, const mlreg_error *err, char room[HINT_BYTES]);
void spot_close(spot *s);
bool is_folder(const char *path);
char *store_path(const cli *c);                             /* free it; NULL: there is no place for one */
int  store_open(cli *c, bool write, mlreg_session **out);

/* Which entry of an index is wanted. */
typedef struct choice {
    mlreg_resolve_options options;
    bool any;                                              /* one is; else an index is taken whole */
    char *host;                                            /* another machine's description, read from a file */
} choice;
/* For what `at` names. `by_default`: where no option says so either. Close it whatever came. */
int  choice_open(const cli *c, bool by_default, const spot *at, choice *out);
void choice_close(choice *ch);
const char *variant_note(const mlreg_descriptor *d, const char *key);
void print_variants(const mlreg_list *l, bool explain);   /* as mlreg_session_variants lists them */
void json_variants(const mlreg_list *l);

/* The three ways of moving, of move.c and land.c; each says what came of it. */
int  move_copy(cli *c, const char *verb, const spot *from, spot *to);
int  move_build(cli *c, const char *verb, const char *folder, const spot *to, bool silent);
typedef struct making {
    int32_t kind;                                          /* MLREG_BUILD_* */
    int (*fill)(cli *c, mlreg_builder *b, void *user, mlreg_op *op, mlreg_error **err);   /* what goes in */
    void *user;
    const char *shown;                                     /* for people: what it is made of */
} making;
int  move_made(cli *c, const char *verb, const making *m, const spot *to, bool silent);
int  move_files(cli *c, const char *verb, const spot *from, const char *folder);
int  move_image(cli *c, const char *verb, const spot *from, const char *folder);
void digest_now(const spot *at, char out[80]);             /* what its tag names in the store; "" elsewhere, or if nothing */
void say_moved(const cli *c, const spot *at, const char *before, const mlreg_artifact *now); /* local tags move freely, and that is said */

/* For calls that take no time to speak of, unless a server or a helper for credentials hangs: then Ctrl-C cancels them, and what they
 * started ends with them. NULL where there is no memory for it. */
mlreg_op *op_quiet(void);
void op_done(void);
/* Progress of a long call; Ctrl-C cancels it. */
typedef struct job {
    mlreg_op *op;
    const cli *c;
    const char *verb;
    mlreg_stats stats;                                     /* as they are at its end */
    uint64_t shown_ms, shown_bytes, per_s;                 /* when something was last said, and how much had moved by then */
    bool live;                                             /* one line that changes; else a line now and then */
} job;
int  job_begin(job *j, const cli *c, const char *verb);
void clear_live_line(void);                                /* before another line on stderr */
void job_end(job *j);                                      /* clears it; the counts stay as they are */
void job_free(job *j);
void say_stats(const job *j);                              /* to stderr, for --stats */
void print_moved(const cli *c, const char *verb, const char *name, const char *before, const mlreg_artifact *a, const job *j);

/* Says an error as a good compiler does (what, where, what to do), frees it, gives the exit status. A hint given here takes the place of
 * the library's. `format` ends the sentence "cannot …". */
int  fail(mlreg_error *err, const char *hint, const char *format, ...) __attribute__((format(printf, 3, 4)));
int  fail_usage(const char *hint, const char *format, ...) __attribute__((format(printf, 2, 3)));
int  fail_plainly(const char *hint, const char *format, ...) __attribute__((format(printf, 2, 3)));
int  fail_stdout(int error);                                /* errno, or 0 where nobody knows it any more */
void note(const cli *c, const char *format, ...) __attribute__((format(printf, 2, 3)));   /* to stderr, unless -q */

/* Output. What strangers wrote goes through *_text or json_*: a terminal obeys control characters. */
void print_text(const char *text);                         /* to stdout; NULL: "-" */
void json_string(const char *text);                        /* NULL: null */
void json_raw(const char *text, size_t len);               /* what json_walk found to be whole */
void json_field(const char *name, const char *value, bool first);
void json_number(const char *name, uint64_t value, bool first);
void json_stats(const job *j);                             /* a member "stats", not the first */
/* Whether the text is JSON from end to end; calls `leaf` for each string, number and literal on the way ("a.b" for {"a": {"b": …}} and
 * {"a": [{"b": …}]} alike; strings as they are escaped). */
typedef void (*json_leaf_fn)(const char *path, const char *value, void *user);
bool json_walk(const char *text, size_t len, json_leaf_fn leaf, void *user);

int cmd_build(cli *c);   int cmd_push(cli *c);    int cmd_pull(cli *c);   int cmd_copy(cli *c);
int cmd_ls(cli *c);      int cmd_tags(cli *c);    int cmd_tag(cli *c);    int cmd_inspect(cli *c);
int cmd_cat(cli *c);     int cmd_rm(cli *c);      int cmd_gc(cli *c);     int cmd_fsck(cli *c);
int cmd_index(cli *c);   int cmd_variants(cli *c); int cmd_host(cli *c);
int cmd_login(cli *c);   int cmd_logout(cli *c);  int cmd_serve(cli *c);
int cmd_version(cli *c);
int cmd_image_build(cli *c);   int cmd_image_artifact(cli *c);
int cmd_image_unpack(cli *c);  int cmd_image_find(cli *c);
#endif
