/* The files of the pages for browsers, as bytes in read-only memory.
   `make dashboard` has put the dashboard together in server/dashboard/built. */
        .section .rodata
        .macro file name, paths:vararg # one after the other
        .global \name, \name\()_end
\name:
        .irp path, \paths
        .incbin "\path"
        .endr
\name\()_end:
        .byte 0
        .endm

        file docs_html, "api/docs/head.html", "api/docs/page.html"
        file guide_html, "api/docs/head.html", "api/docs/guide.html"
        file operating_html, "api/docs/head.html", "api/docs/operating.html"
        file elsewhere_html, "api/docs/head.html", "api/docs/elsewhere.html"
        file docs_css, "api/docs/page.css"
        file docs_js, "api/docs/page.js"
        file elsewhere_py, "api/python/elsewhere.py"
        file dashboard_html, "server/dashboard/built/index.html"
        file dashboard_style, "server/dashboard/built/style"
        file dashboard_js, "server/dashboard/built/app.js"
        file dashboard_icon, "server/dashboard/built/icon.svg"

        .section .note.GNU-stack, "", %progbits
