/* The files that cmake/yaml_to_json.py made of the contract. */
    .section .rodata

    .global contract_plain, contract_plain_end
contract_plain:
    .incbin "openapi.json"
contract_plain_end:

    .global contract_gzip, contract_gzip_end
contract_gzip:
    .incbin "openapi.json.gz"
contract_gzip_end:

    .section .note.GNU-stack, "", %progbits
