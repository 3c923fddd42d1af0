/* /docs: the reference page, which renders /openapi.json in the browser. Its files are embedded
 * (docs/embed.S) and load nothing from elsewhere. */
#include "api/handlers.h"

extern const char docs_html[], docs_html_end[], docs_css[], docs_css_end[], docs_js[],
    docs_js_end[];

static enum http_next reply(struct http_exchange *exchange, const char *type, const char *first,
                            const char *end) {
    if (!no_query(exchange))
        return HTTP_REPLY;
    exchange->response.status = 200;
    exchange->response.content_type = type;
    /* Asked for again after an update of the server, which is all that changes them. */
    http_set_header(exchange, "Cache-Control", "no-cache");
    buffer_append(&exchange->response.body, first, (size_t)(end - first));
    return HTTP_REPLY;
}

enum http_next api_docs(struct http_exchange *exchange) {
    return reply(exchange, "text/html; charset=utf-8", docs_html, docs_html_end);
}

enum http_next api_docs_style(struct http_exchange *exchange) {
    return reply(exchange, "text/css; charset=utf-8", docs_css, docs_css_end);
}

enum http_next api_docs_script(struct http_exchange *exchange) {
    return reply(exchange, "text/javascript; charset=utf-8", docs_js, docs_js_end);
}
