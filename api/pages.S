/* The files of the pages for browsers, as bytes in read-only memory.
   The build has put the dashboard together in build/dashboard. */
        .section .rodata
        .macro file name, path
        .global \name, \name\()_end
\name:  .incbin "\path"
\name\()_end:
        .byte 0
        .endm

        file docs_html, "api/docs/page.html"
        file docs_css, "api/docs/page.css"
        file docs_js, "api/docs/page.js"
        file elsewhere_html, "api/docs/elsewhere.html"
        file elsewhere_py, "api/python/elsewhere.py"
        file dashboard_html, "build/dashboard/index.html"
        file dashboard_style, "build/dashboard/style"
        file dashboard_js, "build/dashboard/app.js"
        file dashboard_icon, "build/dashboard/icon.svg"

        .section .note.GNU-stack, "", %progbits
