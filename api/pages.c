/* The pages for browsers, embedded (pages.S): the dashboard, built from server/dashboard, and
 * /docs, which renders /openapi.json. They load nothing from elsewhere. */
#include <string.h>

#include "api/caching.h"
#include "api/handlers.h"

#define FILE(name) name, name##_end
extern const char docs_html[], docs_html_end[], docs_css[], docs_css_end[], docs_js[],
    docs_js_end[];
extern const char dashboard_html[], dashboard_html_end[], dashboard_style[], dashboard_js[],
    dashboard_js_end[], dashboard_icon[], dashboard_icon_end[];

static const struct page {
    const char *path, *media_type, *first, *end;
    const char *style_source; /* see http_response */
} pages[] = {
    {"/", "text/html; charset=utf-8", FILE(dashboard_html), dashboard_style},
    {"/assets/app.js", "text/javascript; charset=utf-8", FILE(dashboard_js), NULL},
    {"/assets/icon.svg", "image/svg+xml", FILE(dashboard_icon), NULL},
    {"/docs", "text/html; charset=utf-8", FILE(docs_html), NULL},
    {"/docs/page.css", "text/css; charset=utf-8", FILE(docs_css), NULL},
    {"/docs/page.js", "text/javascript; charset=utf-8", FILE(docs_js), NULL},
};
enum { PAGES = sizeof pages / sizeof pages[0] };

enum http_next api_page(struct http_exchange *exchange) {
    if (!no_query(exchange))
        return HTTP_REPLY;
    for (size_t i = 0; i < PAGES; i++) {
        const struct page *page = &pages[i];
        if (strcmp(page->path, exchange->request.path) != 0)
            continue;
        const size_t length = (size_t)(page->end - page->first);
        exchange->response.status = 200;
        exchange->response.content_type = page->media_type;
        exchange->response.style_source = page->style_source;
        exchange->response.etag = tag_of(exchange, page->first, length);
        buffer_append(&exchange->response.body, page->first, length);
    }
    return HTTP_REPLY;
}
