/* cli.h - what the commands of the program share. It is built on the public header alone. */
#ifndef CLI_H
#define CLI_H
#include <mlreg.h>
#include <stdbool.h>
#include <stdio.h>

enum { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };
#define MAX_WORDS 16   /* words of one command line, and values of one option */

typedef struct cli {
    const char *command;
    const char *words[MAX_WORDS]; size_t n_words;          /* what is no option */
    const char *store, *output, *range, *user, *grace, *ca_file;
    const char *tags[MAX_WORDS]; size_t n_tags;            /* -t */
    const char *include[MAX_WORDS]; size_t n_include;
    const char *exclude[MAX_WORDS]; size_t n_exclude;
    const char *annotations[MAX_WORDS]; size_t n_annotations;
    bool plain_http, json, quiet, verbose, move, referrers, dry_run, repair, password_stdin, unverified, help;
    char store_buf[4096];
} cli;

typedef struct command {
    const char *name, *arguments, *what;
    size_t least, most;                                    /* words */
    const char *options;                                   /* beside the common ones, as in "-t --move" */
    int (*run)(cli *c);
} command;
extern const command commands[];
int  args_parse(cli *c, int argc, char **argv, const command **out);   /* EXIT_OK, or EXIT_USAGE with the reason said */
bool args_listed(const char *list, const char *name);      /* whether the blank-separated list holds name's first word */
void usage(FILE *to);
void usage_of(FILE *to, const command *cmd);

/* A place that a name or option stands for. */
typedef struct spot {
    mlreg_session *session;
    mlreg_name *name;                                      /* NULL for a folder */
    const char *folder;                                    /* "dir:…", else NULL */
    char ref[1024];                                        /* within the session */
    char shown[1100];                                      /* what people call it */
    bool remote;                                           /* a registry: tags move only when asked */
    bool in_store;
} spot;
enum { SPOT_READ = 0, SPOT_WRITE = 1 << 0, SPOT_NEEDS_TAG = 1 << 1, SPOT_REGISTRY = 1 << 2, SPOT_FOLDER = 1 << 3 };
int  spot_open(cli *c, const char *text, unsigned how, spot *out);     /* EXIT_*; said on stderr */
int  spot_open_stored(cli *c, const mlreg_name *n, unsigned how, spot *out);  /* the same name in the store */
int  store_open(cli *c, bool write, mlreg_session **out);
void spot_close(spot *s);

/* Progress and the end of a long call. */
typedef struct job { mlreg_op *op; cli *c; const char *verb; uint64_t shown_ms; bool live; } job;
int  job_begin(job *j, cli *c, const char *verb);
void job_end(job *j, mlreg_stats *stats);                  /* clears the live line; stats may be NULL */

/* Says an error as a good compiler does (what, where, what to do), frees it, gives the exit status. */
int  fail(mlreg_error *err, const char *doing);
int  fail_usage(const char *hint, const char *format, ...) __attribute__((format(printf, 2, 3)));
void note(const cli *c, const char *format, ...) __attribute__((format(printf, 2, 3)));   /* to stderr, unless -q */

/* Output. */
const char *human(uint64_t bytes, char out[32]);           /* "90.9 MB" */
void print_plain(const char *text, size_t len);           /* a stranger's text: what could steer a terminal becomes '?' */
void json_string(const char *text);                        /* NULL: null */
void json_field(const char *name, const char *value, bool first);
void json_number(const char *name, uint64_t value, bool first);
void print_config(const char *json);                     /* an artifact's config, a line a value */
uint64_t artifact_bytes(const mlreg_artifact *a);          /* config and layers */
void print_moved(const cli *c, const char *verb, const char *name, const mlreg_artifact *a, const mlreg_stats *stats);

int cmd_build(cli *c);   int cmd_push(cli *c);    int cmd_pull(cli *c);   int cmd_copy(cli *c);
int cmd_ls(cli *c);      int cmd_tags(cli *c);    int cmd_tag(cli *c);    int cmd_inspect(cli *c);
int cmd_cat(cli *c);     int cmd_rm(cli *c);      int cmd_gc(cli *c);     int cmd_fsck(cli *c);
int cmd_login(cli *c);   int cmd_logout(cli *c);  int cmd_version(cli *c);
#endif
