/* The files of the reference page, as bytes in read-only memory. */
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

        .section .note.GNU-stack, "", %progbits
