# Completion of dynomite(8) for bash. A test compares the options with those of `dynomite --help`.

_dynomite() {
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
    # With = among the characters that divide words, a value is a word of its own.
    if [[ $current == = ]]; then
        current=''
    elif [[ $previous == = && $COMP_CWORD -ge 2 ]]; then
        previous=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    COMPREPLY=()
    case $previous in
    -o | --output | -c | --conf-file | -p | --pid-file)
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -f -- "$current")
        ;;
    -v | --verbosity)
        mapfile -t COMPREPLY < <(compgen -W '0 1 2 3 4 5 6 7 8 9 10 11' -- "$current")
        ;;
    -x | --admin-operation)
        mapfile -t COMPREPLY < <(compgen -W '0 1 2' -- "$current")
        ;;
    -m | --mbuf-size | -M | --max-msgs) ;;
    *)
        mapfile -t COMPREPLY < <(compgen -W '-h --help -V --version -t --test-conf -g --gossip
            -d --daemonize -D --describe-stats -v --verbosity= -o --output= -c --conf-file=
            -p --pid-file= -x --admin-operation= -m --mbuf-size= -M --max-msgs=' -- "$current")
        if [[ ${COMPREPLY[0]-} == *= ]]; then
            compopt -o nospace 2>/dev/null
        fi
        ;;
    esac
} && complete -F _dynomite dynomite
