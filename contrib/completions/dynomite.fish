# Completion of dynomite(8) for fish. A test compares the options with those of `dynomite --help`.

complete -c dynomite -f
complete -c dynomite -s h -l help -d 'this help'
complete -c dynomite -s V -l version -d 'show version and exit'
complete -c dynomite -s t -l test-conf -d 'test configuration for syntax errors and exit'
complete -c dynomite -s g -l gossip -d 'enable gossip'
complete -c dynomite -s d -l daemonize -d 'run as a daemon'
complete -c dynomite -s D -l describe-stats -d 'print stats description and exit'
complete -c dynomite -s v -l verbosity -x -a '0 1 2 3 4 5 6 7 8 9 10 11' -d 'set logging level'
complete -c dynomite -s o -l output -r -F -d 'set logging file'
complete -c dynomite -s c -l conf-file -r -F -d 'set configuration file'
complete -c dynomite -s p -l pid-file -r -F -d 'set pid file'
complete -c dynomite -s x -l admin-operation -x -a '0 1 2' -d 'set admin operation'
complete -c dynomite -s m -l mbuf-size -x -d 'deprecated, use mbuf_size in the file'
complete -c dynomite -s M -l max-msgs -x -d 'deprecated, use max_msgs in the file'
