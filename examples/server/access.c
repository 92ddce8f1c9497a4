/* access.c - who may do what: names with bcrypt hashes, tokens with a scope, nobody at all on loopback. */
#include "serve.h"
#include "../mlreg/shown.h"

#include <crypt.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define ENTRIES_MAX    10000
#define PROVEN_MAX     64             /* passwords that were right, so that bcrypt is paid for once */

typedef struct entry {
    char *name, *secret;              /* a user's hash; a token itself, without a name */
    char *prefix;                     /* of repositories; "" is all */
    int may;
} entry;
struct access {
    entry *entries; size_t n;
    pthread_mutex_t lock;             /* guards the rest */
    struct { const entry *who; char secret[128]; } proven[PROVEN_MAX];
    size_t next;
};

/* ---- reading the files ---- */

static int add(access_rules *a, entry e)
{
    entry *grown = a->n < ENTRIES_MAX ? realloc(a->entries, (a->n + 1) * sizeof *grown) : NULL;

    if (grown == NULL)
        return -1;
    a->entries = grown;
    a->entries[a->n++] = e;
    return 0;
}

static char *or_null(const char *s)
{
    return s != NULL ? strdup(s) : NULL;
}

/* "name:$2y$…", as `htpasswd -B` writes it; other hashes are no protection. */
static int read_user(access_rules *a, char *line)
{
    char *hash = strchr(line, ':');

    if (hash == NULL || strncmp(hash + 1, "$2", 2) != 0)
        return -1;
    *hash++ = '\0';
    return add(a, (entry){ or_null(line), or_null(hash), or_null(""), MAY_WRITE });
}

/* "TOKEN read|write [PREFIX]" */
static int read_token(access_rules *a, char *line)
{
    char *rest, *token = strtok_r(line, " \t", &rest), *scope = strtok_r(NULL, " \t", &rest), *prefix = strtok_r(NULL, " \t", &rest);
    int may = scope == NULL ? MAY_NOTHING : strcmp(scope, "read") == 0 ? MAY_READ : strcmp(scope, "write") == 0 ? MAY_WRITE : MAY_NOTHING;

    if (token == NULL || strlen(token) < 16 || may == MAY_NOTHING || strtok_r(NULL, " \t", &rest) != NULL)
        return -1;
    return add(a, (entry){ NULL, or_null(token), or_null(prefix != NULL ? prefix : ""), may });
}

static int read_file(access_rules *a, const char *path, int (*read_line)(access_rules *, char *), const char *form)
{
    FILE *f = path != NULL ? fopen(path, "re") : NULL;
    char *line = NULL;
    size_t room = 0;
    int rc = path == NULL || f != NULL ? 0 : -1;

    if (rc < 0)
        complain(NULL, "cannot read %s: %s", path, strerror(errno));
    for (int n = 1; rc == 0 && f != NULL && getline(&line, &room, f) >= 0; n++) {
        line[strcspn(line, "\r\n")] = '\0';
        if (line[0] != '\0' && line[0] != '#' && (rc = read_line(a, line)) < 0)
            complain(NULL, "%s, line %d: it is not of the form %s", path, n, form);
    }
    if (rc == 0 && f != NULL && ferror(f) != 0) {
        complain(NULL, "cannot read %s: %s", path, strerror(errno));
        rc = -1;
    }
    if (f != NULL)
        fclose(f);
    free(line);
    return rc;
}

/* Where rules are asked for and there are none, everybody would be let in. */
static int check_named(const access_rules *a, const serve_options *o)
{
    const char *path = o->htpasswd != NULL ? o->htpasswd : o->tokens;

    if (path == NULL || a->n > 0)
        return 0;
    complain("`htpasswd -B` writes names and passwords; a token is a line of its own", "%s names nobody, so that nobody could come in", path);
    return -1;
}

int access_open(const serve_options *o, access_rules **out)
{
    access_rules *a = calloc(1, sizeof *a);

    if (a == NULL)
        return -1;
    pthread_mutex_init(&a->lock, NULL);
    if (read_file(a, o->htpasswd, read_user, "NAME:$2y$… (htpasswd -B)") < 0 ||
        read_file(a, o->tokens, read_token, "TOKEN read|write [PREFIX], with a token of 16 characters or more") < 0 || check_named(a, o) < 0) {
        access_close(a);
        return -1;
    }
    *out = a;
    return 0;
}

void access_close(access_rules *a)
{
    if (a == NULL)
        return;
    for (size_t i = 0; i < a->n; i++) {
        free(a->entries[i].name);
        free(a->entries[i].secret);
        free(a->entries[i].prefix);
    }
    free(a->entries);
    pthread_mutex_destroy(&a->lock);
    explicit_bzero(a, sizeof *a);
    free(a);
}

/* ---- proving ---- */

/* In a time that tells nothing of where they differ. */
static bool same_secret(const char *a, const char *b)
{
    size_t n = strlen(a), m = strlen(b);
    unsigned char differ = n != m;

    for (size_t i = 0; i < m; i++)
        differ |= (unsigned char)(a[n > 0 ? i % n : 0] ^ b[i]);
    return differ == 0;
}

static bool is_proven(access_rules *a, const entry *e, const char *secret)
{
    bool found = false;

    pthread_mutex_lock(&a->lock);
    for (size_t i = 0; i < PROVEN_MAX; i++)
        found |= a->proven[i].who == e && same_secret(a->proven[i].secret, secret);
    pthread_mutex_unlock(&a->lock);
    return found;
}

static void note_proven(access_rules *a, const entry *e, const char *secret)
{
    if (strlen(secret) >= sizeof a->proven[0].secret)
        return;
    pthread_mutex_lock(&a->lock);
    a->proven[a->next].who = e;
    strcpy(a->proven[a->next].secret, secret);
    a->next = (a->next + 1) % PROVEN_MAX;
    pthread_mutex_unlock(&a->lock);
}

static bool hashes_to(const char *secret, const char *hash)
{
    struct crypt_data *data = calloc(1, sizeof *data);
    const char *got;
    bool fits;

    if (data == NULL)
        return false;
    got = crypt_r(secret, hash, data);
    fits = got != NULL && got[0] != '*' && same_secret(got, hash);
    explicit_bzero(data, sizeof *data);
    free(data);
    return fits;
}

static bool hash_fits(access_rules *a, const entry *e, const char *secret)
{
    if (is_proven(a, e, secret))
        return true;
    if (!hashes_to(secret, e->secret))
        return false;
    note_proven(a, e, secret);
    return true;
}

/* A name that nobody has takes as long to refuse as one that somebody has: else who asks would learn the names. */
static void take_as_long(const access_rules *a, const char *name, const char *secret)
{
    const entry *any = NULL;

    for (size_t i = 0; i < a->n; i++)
        if (a->entries[i].name != NULL && strcmp(a->entries[i].name, name) == 0)
            return;
        else if (a->entries[i].name != NULL)
            any = &a->entries[i];
    if (any != NULL)
        (void)hashes_to(secret, any->secret);
}

/* ---- asking ---- */

static bool covers(const char *prefix, const char *repo)
{
    size_t n = strlen(prefix);

    return n == 0 || (strncmp(prefix, repo, n) == 0 && (repo[n] == '\0' || repo[n] == '/' || prefix[n - 1] == '/'));
}

/* The most that whoever shows this may do to `repo`; -1: it is known to nobody. Tokens are passwords of any name, for docker sends no other. */
static int rights(access_rules *a, const char *name, const char *secret, const char *repo)
{
    int most = -1;

    for (size_t i = 0; secret != NULL && i < a->n; i++) {
        const entry *e = &a->entries[i];
        bool is = e->name == NULL ? same_secret(e->secret, secret) : name != NULL && strcmp(e->name, name) == 0 && hash_fits(a, e, secret);
        int may = !is ? -1 : repo == NULL || covers(e->prefix, repo) ? e->may : MAY_NOTHING;
        most = may > most ? may : most;
    }
    return most;
}

/* NULL for `repo`: anything at all. */
static int rights_of(const request *r, const char *repo)
{
    const char *bearer = request_header(r, "Authorization");
    char *name, *secret = NULL;
    int may;

    if (r->s->access->n == 0)
        return MAY_WRITE;
    if (bearer != NULL && strncasecmp(bearer, "Bearer ", 7) == 0)
        return rights(r->s->access, NULL, bearer + 7, repo);
    if ((name = MHD_basic_auth_get_username_password(r->c, &secret)) == NULL)
        return -1;
    may = rights(r->s->access, name, secret, repo);
    if (may < 0 && secret != NULL)
        take_as_long(r->s->access, name, secret);
    MHD_free(name);
    MHD_free(secret);
    return may;
}

bool access_may(const request *r, const char *repo, int needs)
{
    return (needs < MAY_WRITE || !r->s->options->read_only) && rights_of(r, repo) >= needs;
}

static void note_user(request *r)
{
    char *name = r->s->access->n > 0 ? MHD_basic_auth_get_username_password(r->c, NULL) : NULL;

    if (name != NULL)
        snprintf(r->user, sizeof r->user, "%s", name);
    MHD_free(name);
}

/* A page from elsewhere that a browser on this machine shows is not this machine's user. */
static bool is_from_elsewhere(const request *r)
{
    return r->s->access->n == 0 && r->route->needs == MAY_WRITE && request_header(r, "Origin") != NULL;
}

bool access_check(request *r)
{
    static const header challenge[] = { { "WWW-Authenticate", "Basic realm=\"mlreg\", charset=\"UTF-8\"" }, { NULL, NULL } };
    int may = r->route->needs == MAY_NOTHING ? MAY_NOTHING : rights_of(r, r->repo[0] != '\0' ? r->repo : NULL);

    note_user(r);
    if (may < 0)
        answer_error(r, MHD_HTTP_UNAUTHORIZED, "UNAUTHORIZED", "name and password, or a token, are needed", challenge);
    else if (may < r->route->needs || is_from_elsewhere(r))
        answer_error(r, MHD_HTTP_FORBIDDEN, "DENIED", "you may not do this to this repository", NULL);
    else if (r->route->needs == MAY_WRITE && r->s->options->read_only)
        answer_error(r, MHD_HTTP_METHOD_NOT_ALLOWED, "UNSUPPORTED", "this registry is read only", NULL);
    return r->status == 0;
}
