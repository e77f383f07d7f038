# Completion of dynomite-hash-tool(1) for bash. A test compares the options and hashes with those of its --help.

_dynomite_hash_tool() {
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
    if [[ $current == = ]]; then
        current=''
    elif [[ $previous == = && $COMP_CWORD -ge 2 ]]; then
        previous=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    COMPREPLY=()
    case $previous in
    -i | --keyfile | -o | --tokenfile)
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -f -- "$current")
        ;;
    --hash)
        mapfile -t COMPREPLY < <(compgen -W 'one_at_a_time md5 crc16 crc32 crc32a fnv1_64 fnv1a_64
            fnv1_32 fnv1a_32 hsieh murmur jenkins' -- "$current")
        ;;
    *)
        mapfile -t COMPREPLY < <(compgen -W '-h --help -k --outputkey -i --keyfile= -o --tokenfile=
            --hash=' -- "$current")
        if [[ ${COMPREPLY[0]-} == *= ]]; then
            compopt -o nospace 2>/dev/null
        fi
        ;;
    esac
} && complete -F _dynomite_hash_tool dynomite-hash-tool
