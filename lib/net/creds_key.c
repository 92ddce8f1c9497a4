/* net/creds_key.c - the names under which files and helpers keep a registry's credentials. */
#include "net/creds_key.h"

#include <stddef.h>
#include <string.h>

#define HUB     "docker.io"
#define HUB_KEY "https://index.docker.io/v1/"   /* what docker login writes for its own hub, since the days of API v1 */

enum { RANK_HUB_KEY = 99, RANK_PATH = 100 };    /* above every spelling of the host alone */

/* Spellings, best first: what is written today before what older clients wrote. */
static const char schemes[][9] = {"", "https://", "http://"};
static const char endings[][5] = {"", "/", "/v1/", "/v2/", "/v1", "/v2"};
#define N_SCHEMES (sizeof schemes / sizeof schemes[0])
#define N_ENDINGS (sizeof endings / sizeof endings[0])

const char *mlr_creds_key_of(const char *host)
{
    return strcmp(host, HUB) == 0 ? HUB_KEY : host;
}

/* The text behind `start`, or NULL if `text` begins otherwise. */
static const char *behind(const char *text, const char *start)
{
    size_t len = strlen(start);

    return strncmp(text, start, len) == 0 ? text + len : NULL;
}

static unsigned rank_of_spelling(const char *key, const char *host)
{
    for (size_t s = 0; s < N_SCHEMES; s++) {
        const char *rest = behind(key, schemes[s]);

        if (rest == NULL || (rest = behind(rest, host)) == NULL)
            continue;
        for (size_t e = 0; e < N_ENDINGS; e++)
            if (strcmp(rest, endings[e]) == 0)
                return (unsigned)((N_SCHEMES - s) * N_ENDINGS - e);
    }
    return 0;
}

static unsigned rank_of_host(const char *key, const char *host)
{
    static const char aliases[][21] = {HUB, "index.docker.io", "registry-1.docker.io"};
    unsigned          rank = 0;

    if (strcmp(host, HUB) != 0)
        return rank_of_spelling(key, host);
    if (strcmp(key, HUB_KEY) == 0)
        return RANK_HUB_KEY;
    for (size_t i = 0; i < sizeof aliases / sizeof aliases[0] && rank == 0; i++)
        rank = rank_of_spelling(key, aliases[i]);
    return rank;
}

/* Where the key goes on behind "host/" with something that may be a repository's name, or NULL. */
static const char *path_of(const char *key, const char *host)
{
    const char *path = behind(key, host);

    if (path == NULL || path[0] != '/' || rank_of_spelling(key, host) > 0)
        return NULL;
    return path + 1;
}

unsigned mlr_creds_key_rank(const char *key, const char *host, const char *repo)
{
    const char *path = repo != NULL ? path_of(key, host) : NULL;
    const char *rest;

    if (host[0] == '\0')
        return 0;
    if (path == NULL)
        return rank_of_host(key, host);
    rest = behind(repo, path);
    if (rest == NULL || (rest[0] != '\0' && rest[0] != '/'))
        return 0;
    return RANK_PATH + (unsigned)strlen(path);
}

bool mlr_creds_key_is_below(const char *key, const char *host)
{
    return path_of(key, host) != NULL;
}
