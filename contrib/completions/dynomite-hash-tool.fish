# Completion of dynomite-hash-tool(1) for fish. A test compares the options and hashes with those of its --help.

complete -c dynomite-hash-tool -f
complete -c dynomite-hash-tool -s h -l help -d 'this help'
complete -c dynomite-hash-tool -s k -l outputkey -d 'write each key before its token'
complete -c dynomite-hash-tool -s i -l keyfile -r -F -d 'set file of keys'
complete -c dynomite-hash-tool -s o -l tokenfile -r -F -d 'set file of tokens'
complete -c dynomite-hash-tool -l hash -x -d 'set hash' \
    -a 'one_at_a_time md5 crc16 crc32 crc32a fnv1_64 fnv1a_64 fnv1_32 fnv1a_32 hsieh murmur jenkins'
