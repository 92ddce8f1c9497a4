/* bed/bed.h - what tests stand on: servers that come and go with them, fresh directories, known bytes.
 * Every function here fails the running test (cmocka's fail_msg) where it cannot do its work. */
#ifndef MLR_BED_BED_H
#define MLR_BED_BED_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* A server that prints "port N" on its standard output and ends when its standard input does: it cannot outlive us. */
typedef struct bed_server {
    pid_t pid;
    int   input;               /* our end of its standard input */
    int   port;
    char  host[32];            /* "127.0.0.1:PORT" */
    char  url[48];             /* "http://127.0.0.1:PORT" */
    char  dir[64];             /* its own fresh directory; "" for none */
    char  log[96];             /* of evil.py: one JSON line per request, see there */
} bed_server;
void bed_server_start(bed_server *s, const char *const *argv);        /* argv ends in NULL; the program is looked for in PATH */
void bed_server_stop(bed_server *s);                                  /* ends it, by its pid, and removes its directory; all zero is fine */

/* evil.py with a script as its head explains it: "[{\"path\": \"/v2/\", \"status\": 200}]". */
void bed_evil_start(bed_server *s, const char *script);
/* `client_ca` not NULL: clients must show a certificate that it signed. */
void bed_evil_start_tls(bed_server *s, const char *script, const char *cert_file, const char *key_file, const char *client_ca);
/* nginx.py on the files of `root`; `server` is the inside of its server block. With a certificate: TLS and HTTP/2. False: there is no nginx here. */
bool bed_nginx_start(bed_server *s, const char *root, const char *server, const char *cert_file, const char *key_file);
char *bed_log_text(const bed_server *s);                              /* all lines so far; free() */
char *bed_log_line(const bed_server *s, size_t i);                    /* the i-th request; NULL past the last; free() */
size_t bed_log_count(const bed_server *s, const char *text);          /* lines that contain `text`; "" : all */

/* A fresh directory below $TMPDIR or /tmp. */
void bed_dir_make(char dir[64]);
void bed_dir_remove(const char *dir);                                 /* with all that is in it; "" is fine */
char *bed_path(const char *dir, const char *name);                    /* "dir/name"; free() */

/* The bytes that evil.py sends where a rule has a "size". */
void bed_pattern(uint64_t offset, void *out, size_t len);
bool bed_is_pattern(uint64_t offset, const void *data, size_t len);

int  bed_run(const char *const *argv);                                /* waits for the program; its exit status, 128 and up: a signal */
/* A key and a certificate of its own making for 127.0.0.1 and localhost, in `dir`; free() both. */
void bed_certificate(const char *dir, char **cert_file, char **key_file);
#endif
