/* bed/bed.c - what tests stand on: servers that come and go with them, fresh directories, known bytes. */
#include "bed/bed.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#define START_MS 60000
#define STOP_MS  10000

extern char **environ;

/* ---- programs ---- */

/* `in` and `out` become its standard input and output; -1: /dev/null and ours. */
static pid_t spawn(const char *const *argv, int in, int out)
{
    posix_spawn_file_actions_t actions;
    pid_t                      pid = -1;
    int                        rc;

    posix_spawn_file_actions_init(&actions);
    if (in >= 0)
        posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
    else
        posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (out >= 0)
        posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
    rc = posix_spawnp(&pid, argv[0], &actions, NULL, (char *const *)argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (rc != 0)
        fail_msg("cannot start %s: %s", argv[0], strerror(rc));
    return pid;
}

static int exit_status(int status)
{
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int bed_run(const char *const *argv)
{
    pid_t pid = spawn(argv, -1, -1);
    int   status = 0;

    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            fail_msg("cannot wait for %s: %s", argv[0], strerror(errno));
    return exit_status(status);
}

/* ---- servers ---- */

static void read_port(bed_server *s, int from, const char *program)
{
    char   line[64] = "";
    size_t len = 0;

    while (strchr(line, '\n') == NULL && len + 1 < sizeof line) {
        struct pollfd p = {from, POLLIN, 0};
        ssize_t       n = poll(&p, 1, START_MS) > 0 ? read(from, line + len, 1) : 0;

        if (n <= 0)
            break;
        line[++len] = '\0';
    }
    if (sscanf(line, "port %d\n", &s->port) != 1) {
        bed_server_stop(s);
        fail_msg("%s did not come up: it said \"%s\"", program, line);
    }
}

void bed_server_start(bed_server *s, const char *const *argv)
{
    int in[2], out[2];

    if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0)
        fail_msg("no pipe: %s", strerror(errno));
    s->pid = spawn(argv, in[0], out[1]);
    s->input = in[1];
    close(in[0]);
    close(out[1]);
    read_port(s, out[0], argv[0]);
    close(out[0]);
    snprintf(s->host, sizeof s->host, "127.0.0.1:%d", s->port);
    snprintf(s->url, sizeof s->url, "http://%s", s->host);
}

static void end_process(pid_t pid)
{
    kill(pid, SIGTERM);
    for (int waited = 0; waitpid(pid, NULL, WNOHANG) == 0; waited += 5) {
        if (waited == STOP_MS)
            kill(pid, SIGKILL);
        usleep(5000);
    }
}

void bed_server_stop(bed_server *s)
{
    if (s->pid > 0) {
        end_process(s->pid);
        close(s->input);
    }
    bed_dir_remove(s->dir);
    memset(s, 0, sizeof *s);
}

static const char *python(void)
{
    return access("/usr/bin/python3", X_OK) == 0 ? "/usr/bin/python3" : "python3";
}

bool bed_nginx_start(bed_server *s, const char *root, const char *server, const char *cert_file, const char *key_file)
{
    const char *argv[] = {python(), BED_DIR "/nginx.py", "--root", root, "--server", server, NULL, NULL, NULL, NULL};

    memset(s, 0, sizeof *s);
    if (access("/usr/sbin/nginx", X_OK) != 0 && access("/usr/bin/nginx", X_OK) != 0)
        return false;
    if (cert_file != NULL) {
        argv[6] = "--tls";
        argv[7] = cert_file;
        argv[8] = key_file;
    }
    bed_server_start(s, argv);
    if (cert_file != NULL)
        snprintf(s->url, sizeof s->url, "https://%s", s->host);
    return true;
}

static void evil_start(bed_server *s, const char *script, const char *cert_file, const char *key_file, const char *client_ca)
{
    const char *argv[] = {python(), BED_DIR "/evil.py", "--script", script,   "--log",
                          s->log,   NULL,               NULL,       NULL,     NULL,   NULL,
                          NULL};

    memset(s, 0, sizeof *s);
    bed_dir_make(s->dir);
    snprintf(s->log, sizeof s->log, "%s/log", s->dir);
    if (cert_file != NULL) {
        argv[6] = "--tls";
        argv[7] = cert_file;
        argv[8] = key_file;
    }
    if (client_ca != NULL) {
        argv[9] = "--client-ca";
        argv[10] = client_ca;
    }
    bed_server_start(s, argv);
}

void bed_evil_start(bed_server *s, const char *script)
{
    evil_start(s, script, NULL, NULL, NULL);
}

void bed_evil_start_tls(bed_server *s, const char *script, const char *cert_file, const char *key_file, const char *client_ca)
{
    evil_start(s, script, cert_file, key_file, client_ca);
    snprintf(s->url, sizeof s->url, "https://%s", s->host);
}

/* ---- what evil.py noted ---- */

char *bed_log_text(const bed_server *s)
{
    char  *text = NULL;
    size_t len = 0, n;
    char   piece[4096];
    FILE  *from = fopen(s->log, "re"), *to = open_memstream(&text, &len);

    if (from == NULL || to == NULL)
        fail_msg("cannot read %s: %s", s->log, strerror(errno));
    while ((n = fread(piece, 1, sizeof piece, from)) > 0)
        fwrite(piece, 1, n, to);
    fclose(from);
    fclose(to);
    return text;
}

char *bed_log_line(const bed_server *s, size_t i)
{
    char *text = bed_log_text(s), *rest = text, *line, *copy = NULL;

    while ((line = strsep(&rest, "\n")) != NULL && rest != NULL)
        if (i-- == 0) {
            copy = strdup(line);
            break;
        }
    free(text);
    return copy;
}

size_t bed_log_count(const bed_server *s, const char *text)
{
    char  *log = bed_log_text(s), *rest = log, *line;
    size_t n = 0;

    while ((line = strsep(&rest, "\n")) != NULL && rest != NULL)
        n += strstr(line, text) != NULL;
    free(log);
    return n;
}

/* ---- directories ---- */

void bed_dir_make(char dir[64])
{
    const char *top = getenv("TMPDIR");

    if (top == NULL || strlen(top) > 40)
        top = "/tmp";
    snprintf(dir, 64, "%s/mlreg-bed-XXXXXX", top);
    if (mkdtemp(dir) == NULL)
        fail_msg("cannot make %s: %s", dir, strerror(errno));
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

void bed_dir_remove(const char *dir)
{
    if (dir[0] != '\0' && nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS) != 0)
        fail_msg("cannot remove %s: %s", dir, strerror(errno));
}

char *bed_path(const char *dir, const char *name)
{
    char *path = NULL;

    if (asprintf(&path, "%s/%s", dir, name) < 0)
        fail_msg("out of memory");
    return path;
}

/* ---- bytes and certificates ---- */

static unsigned char pattern_at(uint64_t at)
{
    return (unsigned char)(at * 167 + (at >> 8) + (at >> 16));
}

void bed_pattern(uint64_t offset, void *out, size_t len)
{
    for (size_t i = 0; i < len; i++)
        ((unsigned char *)out)[i] = pattern_at(offset + i);
}

bool bed_is_pattern(uint64_t offset, const void *data, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (((const unsigned char *)data)[i] != pattern_at(offset + i))
            return false;
    return true;
}

void bed_certificate(const char *dir, char **cert_file, char **key_file)
{
    char       *config = bed_path(dir, "openssl.cnf");
    FILE       *f = fopen(config, "we");
    const char *argv[] = {"openssl", "req",  "-x509", "-newkey", "ec",      "-pkeyopt", "ec_paramgen_curve:prime256v1",
                          "-nodes",  "-days", "2",    "-config", config,    "-keyout",  NULL,
                          "-out",    NULL,    NULL};

    *cert_file = bed_path(dir, "cert.pem");
    *key_file = bed_path(dir, "key.pem");
    argv[13] = *key_file;
    argv[15] = *cert_file;
    if (f == NULL)
        fail_msg("cannot write %s: %s", config, strerror(errno));
    fputs("[req]\ndistinguished_name = dn\nx509_extensions = ext\nprompt = no\n[dn]\nCN = mlreg test\n"
          "[ext]\nsubjectAltName = IP:127.0.0.1, DNS:localhost\nbasicConstraints = CA:TRUE\n", f);
    fclose(f);
    if (bed_run(argv) != 0)
        fail_msg("openssl made no certificate");
    free(config);
}
