/* The embedded pages for browsers: the dashboard, built from server/dashboard; /docs, which renders
 * /openapi.json; and the pages below /docs. They load nothing from other servers. */
#include <string.h>

#include "api/contract/caching.h"
#include "api/contract/handlers.h"
#include "api/contract/kept.h"
#include "server/base/embed.h"

EMBED(docs_html, "api/docs/head.html", "api/docs/page.html");
EMBED(guide_html, "api/docs/head.html", "api/docs/guide.html");
EMBED(operating_html, "api/docs/head.html", "api/docs/operating.html");
EMBED(elsewhere_html, "api/docs/head.html", "api/docs/elsewhere.html");
EMBED(docs_css, "api/docs/page.css");
EMBED(docs_js, "api/docs/page.js");
EMBED(elsewhere_py, "api/python/elsewhere.py");
EMBED(dashboard_html, "server/dashboard/built/index.html");
EMBED(dashboard_style, "server/dashboard/built/style");
EMBED(dashboard_js, "server/dashboard/built/app.js");
EMBED(dashboard_shared_js, "server/dashboard/built/shared.js");
EMBED(dashboard_tables_js, "server/dashboard/built/tables.js");
EMBED(dashboard_icon, "server/dashboard/built/icon.svg");
#define FILE(name) name, name##_end

static struct page {
    const char *path, *media_type, *first, *end;
    const char *style_source; /* see http_response */
    struct kept kept;
} pages[] = {
    {"/", "text/html; charset=utf-8", FILE(dashboard_html), dashboard_style, KEPT_EMPTY},
    {"/assets/app.js", "text/javascript; charset=utf-8", FILE(dashboard_js), NULL, KEPT_EMPTY},
    {"/assets/shared.js", "text/javascript; charset=utf-8", FILE(dashboard_shared_js), NULL,
     KEPT_EMPTY},
    {"/assets/tables.js", "text/javascript; charset=utf-8", FILE(dashboard_tables_js), NULL,
     KEPT_EMPTY},
    {"/assets/icon.svg", "image/svg+xml", FILE(dashboard_icon), NULL, KEPT_EMPTY},
    {"/docs", "text/html; charset=utf-8", FILE(docs_html), NULL, KEPT_EMPTY},
    {"/docs/page.css", "text/css; charset=utf-8", FILE(docs_css), NULL, KEPT_EMPTY},
    {"/docs/page.js", "text/javascript; charset=utf-8", FILE(docs_js), NULL, KEPT_EMPTY},
    {"/docs/guide", "text/html; charset=utf-8", FILE(guide_html), NULL, KEPT_EMPTY},
    {"/docs/operating", "text/html; charset=utf-8", FILE(operating_html), NULL, KEPT_EMPTY},
    {"/docs/elsewhere", "text/html; charset=utf-8", FILE(elsewhere_html), NULL, KEPT_EMPTY},
    {"/elsewhere.py", "text/x-python; charset=utf-8", FILE(elsewhere_py), NULL, KEPT_EMPTY},
};
enum { PAGES = sizeof pages / sizeof pages[0] };

static void make_page(struct http_exchange *exchange, struct store_session *unused) {
    (void)unused;
    struct page *page = exchange->state;
    const size_t length = (size_t)(page->end - page->first);
    kept_make(&page->kept, exchange, page->first, length);
    if (!kept_find(&page->kept, exchange)) {
        exchange->response.etag = tag_of(exchange, page->first, length);
        buffer_append(&exchange->response.body, page->first, length);
    }
}

enum http_next api_page(struct http_exchange *exchange) {
    if (!no_query(exchange))
        return HTTP_REPLY;
    struct page *page = pages;
    while (page < pages + PAGES && strcmp(page->path, exchange->request.path) != 0)
        page++;
    if (page == pages + PAGES)
        return HTTP_REPLY;
    exchange->response.status = 200;
    exchange->response.content_type = page->media_type;
    exchange->response.style_source = page->style_source;
    exchange->state = page;
    return kept_find(&page->kept, exchange) ? HTTP_REPLY : http_on_pool(exchange, make_page);
}
