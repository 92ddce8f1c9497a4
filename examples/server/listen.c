/* listen.c - where the server listens, and how much it gives each connection. */
#include "serve.h"

#include <netdb.h>
#include <stdlib.h>
#include <string.h>

#define CONNECTIONS_DEFAULT 512
#define IDLE_S              60          /* without one byte */
/* What one may hold: its headers, and in half of it the piece of a body at hand. The larger the pieces of those that upload, the more of
 * them are hashed side by side, and the less often anybody is woken. */
#define CONNECTION_BYTES    (512u << 10)
#define STACK_BYTES         (512u << 10)

bool address_is_loopback(const struct sockaddr *a)
{
    if (a->sa_family == AF_INET)
        return ntohl(((const struct sockaddr_in *)(const void *)a)->sin_addr.s_addr) >> 24 == 127;
    return a->sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)(const void *)a)->sin6_addr);
}

/* Digits alone: getaddrinfo takes names of services, and nothing at all, and cuts what is too large. */
static bool is_port(const char *s)
{
    return s[0] != '\0' && s[strspn(s, "0123456789")] == '\0' && strtoul(s, NULL, 10) <= UINT16_MAX;
}

struct addrinfo *address_find(const char *listen)
{
    const struct addrinfo hints = { .ai_flags = AI_PASSIVE, .ai_socktype = SOCK_STREAM };
    const char *colon = strrchr(listen, ':');
    struct addrinfo *found = NULL;
    char host[256];
    size_t len = colon != NULL ? (size_t)(colon - listen) : 0;

    if (colon == NULL || len >= sizeof host || !is_port(colon + 1))
        return NULL;
    memcpy(host, listen, len);
    host[len] = '\0';
    if (len > 1 && host[0] == '[' && host[len - 1] == ']') {
        host[len - 1] = '\0';
        memmove(host, host + 1, len - 1);
    }
    return getaddrinfo(host[0] != '\0' ? host : NULL, colon + 1, &hints, &found) == 0 ? found : NULL;
}

struct MHD_Daemon *listen_on(server *s, const struct addrinfo *at, char *cert, char *key)
{
    unsigned flags = MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL | MHD_USE_ITC;
    const serve_options *o = s->options;
    struct MHD_OptionItem tls[] = { { MHD_OPTION_HTTPS_MEM_CERT, 0, cert }, { MHD_OPTION_HTTPS_MEM_KEY, 0, key }, { MHD_OPTION_END, 0, NULL } };

    if (cert != NULL)
        flags |= MHD_USE_TLS;
    if (at->ai_family == AF_INET6)
        flags |= MHD_USE_IPv6;
    return MHD_start_daemon(flags, 0, NULL, NULL, request_handle, s, MHD_OPTION_SOCK_ADDR, at->ai_addr,
        MHD_OPTION_CONNECTION_LIMIT, o->max_connections != 0 ? o->max_connections : CONNECTIONS_DEFAULT,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_BYTES,
        MHD_OPTION_THREAD_STACK_SIZE, (size_t)STACK_BYTES, MHD_OPTION_LISTEN_BACKLOG_SIZE, 1024u,
        MHD_OPTION_NOTIFY_COMPLETED, request_completed, s, MHD_OPTION_NOTIFY_CONNECTION, connection_notice, s,
        MHD_OPTION_ARRAY, cert != NULL ? tls : tls + 2, MHD_OPTION_END);
}
