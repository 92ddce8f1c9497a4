/* net/http_socket.c - sockets for libcurl: close-on-exec, and only to addresses that the request may reach. */
#include "net/http_parts.h"

#include <arpa/inet.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define LINK_LOCAL_V4 0xa9fe        /* 169.254.0.0/16: there, clouds hand a machine its credentials */
#define ALIBABA_V4    0x646464c8    /* 100.100.100.200, where this one does */

static bool is_loopback_v4(uint32_t a)
{
    return a >> 24 == IN_LOOPBACKNET;
}

/* This machine, or what only its own link reaches. */
static bool is_near_v4(uint32_t a)
{
    return is_loopback_v4(a) || a >> 16 == LINK_LOCAL_V4 || a >> 24 == 0 || a == ALIBABA_V4;
}

/* The IPv4 address at the end of an IPv6 one, in host order. */
static uint32_t last_v4(const struct in6_addr *a)
{
    uint32_t v4;

    memcpy(&v4, a->s6_addr + 12, sizeof v4);
    return ntohl(v4);
}

static unsigned port_of(const struct curl_sockaddr *a)
{
    return ntohs(a->family == AF_INET ? ((const struct sockaddr_in *)(const void *)&a->addr)->sin_port
                                      : ((const struct sockaddr_in6 *)(const void *)&a->addr)->sin6_port);
}

static const struct in_addr *in4(const struct curl_sockaddr *a)
{
    return &((const struct sockaddr_in *)(const void *)&a->addr)->sin_addr;
}

static const struct in6_addr *in6(const struct curl_sockaddr *a)
{
    return &((const struct sockaddr_in6 *)(const void *)&a->addr)->sin6_addr;
}

static bool is_loopback(const struct curl_sockaddr *a)
{
    if (a->family == AF_INET)
        return is_loopback_v4(ntohl(in4(a)->s_addr));
    return a->family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(in6(a));
}

static bool is_near(const struct curl_sockaddr *a)
{
    static const uint8_t nat64[12] = {0x00, 0x64, 0xff, 0x9b};                              /* 64:ff9b::/96, RFC 6052 */
    static const uint8_t aws[16] = {0xfd, 0x00, 0x0e, 0xc2, [14] = 0x02, [15] = 0x54};      /* its 169.254.169.254 */

    if (a->family == AF_INET)
        return is_near_v4(ntohl(in4(a)->s_addr));
    if (a->family != AF_INET6)
        return true;
    if (IN6_IS_ADDR_V4MAPPED(in6(a)) || memcmp(in6(a), nat64, sizeof nat64) == 0)
        return is_near_v4(last_v4(in6(a)));
    if (memcmp(in6(a), aws, sizeof aws) == 0)
        return true;
    return IN6_IS_ADDR_LOOPBACK(in6(a)) || IN6_IS_ADDR_LINKLOCAL(in6(a)) || IN6_IS_ADDR_UNSPECIFIED(in6(a));
}

static curl_socket_t refuse(mlr_http_gate *g, const struct curl_sockaddr *a)
{
    const void *raw = a->family == AF_INET ? (const void *)in4(a) : (const void *)in6(a);

    g->refused = true;
    if (inet_ntop(a->family, raw, g->address, sizeof g->address) == NULL)
        strcpy(g->address, "?");
    return CURL_SOCKET_BAD;
}

/* Who names a proxy on this machine wants strangers to be asked by it, not what else listens here. */
static bool is_own_proxy(const mlr_http_gate *g, const struct curl_sockaddr *a)
{
    return g->proxy_port != 0 && is_loopback(a) && port_of(a) == g->proxy_port;
}

/* THREATS D3: a server must not send us to services that trust whoever speaks from this machine, unless the user's own
 * registry is there too. */
static bool is_refused(mlr_http_gate *g, const struct curl_sockaddr *a)
{
    if (!is_near(a))
        return false;
    if (g->foreign && !atomic_load(&g->http->is_near)) {
        (void)refuse(g, a);
        return true;
    }
    atomic_store(&g->http->is_near, true);
    return false;
}

/* A loopback name, to which credentials may go in the clear, must end on this machine. */
curl_socket_t mlr_http_open_socket(void *gate, curlsocktype purpose, struct curl_sockaddr *address)
{
    mlr_http_gate *g = gate;

    (void)purpose;
    if (g->loopback_name && !is_loopback(address))
        return refuse(g, address);
    if (!is_own_proxy(g, address) && is_refused(g, address))
        return CURL_SOCKET_BAD;
    return g->line->socket = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

/* inet_aton knows an address in all the spellings that resolvers know. */
static bool read_address(const char *host, struct curl_sockaddr *a)
{
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)&a->addr;
    struct sockaddr_in  *v4 = (struct sockaddr_in *)(void *)&a->addr;

    a->family = strchr(host, ':') != NULL ? AF_INET6 : AF_INET;
    return a->family == AF_INET6 ? inet_pton(AF_INET6, host, &v6->sin6_addr) == 1 : inet_aton(host, &v4->sin_addr) == 1;
}

bool mlr_http_is_forbidden(mlr_http_gate *g, const char *host)
{
    union {
        struct curl_sockaddr address;
        char                 room[sizeof(struct curl_sockaddr) + sizeof(struct sockaddr_in6)];
    } u = {{0}};

    return read_address(host, &u.address) && is_refused(g, &u.address);
}

/* Belongs to the line, for a socket outlives the exchange that opened it. */
int mlr_http_close_socket(void *line, curl_socket_t s)
{
    mlr_http_line *l = line;

    if (l->socket == s)
        l->socket = CURL_SOCKET_BAD;
    return close(s);
}

/* Where two addresses were tried side by side, the one in use may be unknown. */
int mlr_http_unsent(const mlr_http_line *l)
{
    int n = -1;

    return l->socket != CURL_SOCKET_BAD && ioctl(l->socket, SIOCOUTQ, &n) == 0 ? n : -1;
}
