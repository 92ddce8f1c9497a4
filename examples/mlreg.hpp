/* mlreg.hpp - libmlreg from C++11: handles that free themselves, failures that are thrown. Copy it into your program. */
#ifndef MLREG_HPP
#define MLREG_HPP
#include <mlreg.h>

#include <exception>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

namespace mlreg {

inline std::string text(const char *s) { return s != nullptr ? s : ""; }

/* What went wrong, where, and what to do; what the library does not know is empty or 0. */
struct error : std::runtime_error {
    int code, http_status;
    std::string subject, place, registry_code, hint;

    error(int rc, const mlreg_error *e)
        : std::runtime_error(e != nullptr ? mlreg_error_message(e) : mlreg_strerror(rc)), code(rc),
          http_status(mlreg_error_http_status(e)), subject(text(mlreg_error_subject(e))), place(text(mlreg_error_place(e))),
          registry_code(text(mlreg_error_registry_code(e))), hint(text(mlreg_error_hint(e))) {}
};

/* Stands where C has an error's address, and throws what was left there. */
class failure {
    mlreg_error *e = nullptr;
public:
    failure() = default;
    failure(const failure &) = delete;
    failure &operator=(const failure &) = delete;
    ~failure() { mlreg_error_free(e); }
    operator mlreg_error **() { return &e; }
    int64_t check(int64_t rc) const
    {
        if (rc < 0)
            throw error(static_cast<int>(rc), e);
        return rc;
    }
};

template <class T, void (*Free)(T *)> struct freed { void operator()(T *p) const { Free(p); } };
template <class T, void (*Free)(T *)> using handle = std::unique_ptr<T, freed<T, Free>>;

/* Called five times a second; false cancels, and so does an exception, which then comes out of the call. */
using progress = std::function<bool(const mlreg_stats &)>;

/* Remote control of calls that take long; cancel() from any thread. */
class op {
    handle<mlreg_op, mlreg_op_free> h;
    progress fn;
    std::exception_ptr thrown;

    static int called(mlreg_op *, void *user)
    {
        op *self = static_cast<op *>(user);
        try {
            return !self->fn(self->stats());
        } catch (...) {
            self->thrown = std::current_exception();
            return 1;
        }
    }

public:
    explicit op(progress f = nullptr) : fn(std::move(f))
    {
        failure e;
        mlreg_op *p = nullptr;
        e.check(mlreg_op_new(&p, e));
        h.reset(p);
        if (fn)
            mlreg_op_on_progress(p, called, this, 0);
    }
    op(const op &) = delete;
    mlreg_op *get() const { return h.get(); }
    void cancel() { mlreg_op_cancel(h.get()); }
    mlreg_stats stats() const
    {
        failure e;
        mlreg_stats s;
        MLREG_INIT(s);
        e.check(mlreg_op_stats(h.get(), &s, e));
        return s;
    }
    int64_t check(failure &e, int64_t rc)            /* of a call that was made with this op */
    {
        std::exception_ptr t;
        std::swap(t, thrown);
        if (t)
            std::rethrow_exception(t);
        return e.check(rc);
    }
};

class artifact {
    handle<mlreg_artifact, mlreg_artifact_free> h;
public:
    explicit artifact(mlreg_artifact *p) : h(p) {}
    mlreg_artifact *get() const { return h.get(); }
    std::string digest() const { return mlreg_descriptor_digest(mlreg_artifact_at(h.get(), MLREG_PART_SELF, 0)); }
    size_t layers() const { return mlreg_artifact_count(h.get(), MLREG_PART_LAYER); }
    uint64_t bytes(size_t layer) const { return mlreg_descriptor_bytes(mlreg_artifact_at(h.get(), MLREG_PART_LAYER, layer)); }
    std::string title(size_t layer) const { return text(mlreg_descriptor_title(mlreg_artifact_at(h.get(), MLREG_PART_LAYER, layer))); }
    void checkout(const std::string &dir, op &o)
    {
        failure e;
        o.check(e, mlreg_checkout(h.get(), dir.c_str(), nullptr, o.get(), e));
    }
    int open_fd(size_t layer) const                  /* of a store's artifact, to mmap; close it yourself */
    {
        failure e;
        int fd = -1;
        e.check(mlreg_artifact_open_fd(h.get(), layer, &fd, e));
        return fd;
    }
};

class session {
    handle<mlreg_session, mlreg_session_free> h;
public:
    explicit session(const std::string &location, uint32_t flags = 0)
    {
        failure e;
        mlreg_session *p = nullptr;
        mlreg_session_options o;
        MLREG_INIT(o);
        o.flags = flags;
        e.check(mlreg_session_open(location.c_str(), &o, &p, e));
        h.reset(p);
    }
    artifact copy(const std::string &ref, session &to, op &o, uint32_t flags = 0)
    {
        failure e;
        mlreg_artifact *a = nullptr;
        mlreg_copy_options c;
        MLREG_INIT(c);
        c.flags = flags;
        int rc = mlreg_copy(h.get(), ref.c_str(), to.h.get(), nullptr, &c, o.get(), &a, e);
        artifact copied(a);
        o.check(e, rc);
        return copied;
    }
};
}
#endif
