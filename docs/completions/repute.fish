# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_repute_global_optspecs
    string join \n c/config= json h/help V/version
end

function __fish_repute_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_repute_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_repute_using_subcommand
    set -l cmd (__fish_repute_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c repute -n "__fish_repute_needs_command" -s c -l config -d 'The configuration file [default: /etc/repute/repute.toml, else ./repute.toml]' -r -F
complete -c repute -n "__fish_repute_needs_command" -l json -d 'Answer in JSON, for programs'
complete -c repute -n "__fish_repute_needs_command" -s h -l help -d 'Print help'
complete -c repute -n "__fish_repute_needs_command" -s V -l version -d 'Print version'
complete -c repute -n "__fish_repute_needs_command" -f -a "setup" -d 'Set up from nothing: configuration, keys, DNS records'
complete -c repute -n "__fish_repute_needs_command" -f -a "records" -d 'Print the DNS records to publish, or how those that are there differ'
complete -c repute -n "__fish_repute_needs_command" -f -a "check" -d 'Check whether receivers will trust this server: DNS, black lists, SPF, keys'
complete -c repute -n "__fish_repute_needs_command" -f -a "serve" -d 'Run the server'
complete -c repute -n "__fish_repute_needs_command" -f -a "demo" -d 'Try everything on loopback: a playground with receivers, and 200 real messages'
complete -c repute -n "__fish_repute_needs_command" -f -a "account" -d 'Make accounts for applications'
complete -c repute -n "__fish_repute_needs_command" -f -a "token" -d 'Make tokens for the HTTP API'
complete -c repute -n "__fish_repute_needs_command" -f -a "domain" -d 'Set up domains to send as: keys and DNS records'
complete -c repute -n "__fish_repute_needs_command" -f -a "queue" -d 'List, hold, release, retry and cancel what waits'
complete -c repute -n "__fish_repute_needs_command" -f -a "bulk" -d 'Send one letter to a list, and look after campaigns'
complete -c repute -n "__fish_repute_needs_command" -f -a "why" -d 'Tell what became of a message, or of mail to an address'
complete -c repute -n "__fish_repute_needs_command" -f -a "suppression" -d 'List, add and release addresses that are not written to'
complete -c repute -n "__fish_repute_needs_command" -f -a "circuit" -d 'List, continue and cancel accounts and campaigns that were stopped'
complete -c repute -n "__fish_repute_needs_command" -f -a "explain" -d 'Tell what a receiver\'s reply means, whose fault it is, and what to do'
complete -c repute -n "__fish_repute_needs_command" -f -a "message" -d 'Judge a message before it is sent'
complete -c repute -n "__fish_repute_needs_command" -f -a "reports" -d 'What receivers report about mail in our name, and what a report or notice says'
complete -c repute -n "__fish_repute_needs_command" -f -a "tls" -d 'Show how TLS with receivers went today, as their domains are told of it'
complete -c repute -n "__fish_repute_needs_command" -f -a "permit" -d 'Show which mail may leave from where, and say so for a time'
complete -c repute -n "__fish_repute_needs_command" -f -a "incidents" -d 'List what is broken now, and what was'
complete -c repute -n "__fish_repute_needs_command" -f -a "trust" -d 'Tell how trust changed over time'
complete -c repute -n "__fish_repute_needs_command" -f -a "events" -d 'Tell what becomes of messages, as it happens'
complete -c repute -n "__fish_repute_needs_command" -f -a "webhook" -d 'Look after the programs that are told by HTTP what happens'
complete -c repute -n "__fish_repute_needs_command" -f -a "mirror" -d 'Take messages as a receiver would, and say all that one sees of them'
complete -c repute -n "__fish_repute_needs_command" -f -a "status" -d 'Show what the server is doing'
complete -c repute -n "__fish_repute_needs_command" -f -a "send" -d 'Send one message and print the conversation'
complete -c repute -n "__fish_repute_needs_command" -f -a "sendmail" -d 'Take a message as the `sendmail` command does, for cron, PHP and others'
complete -c repute -n "__fish_repute_needs_command" -f -a "config" -d 'Check or show the configuration'
complete -c repute -n "__fish_repute_needs_command" -f -a "man" -d 'Write manual pages, shell completions and the configuration reference'
complete -c repute -n "__fish_repute_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c repute -n "__fish_repute_using_subcommand setup" -l hostname -d 'What this server is called in DNS, such as mail.example.com' -r
complete -c repute -n "__fish_repute_using_subcommand setup" -l domain -d 'The domain to send as; may be given several times' -r
complete -c repute -n "__fish_repute_using_subcommand setup" -l address -d 'The address mail leaves from; once for IPv4 and once for IPv6, or more' -r
complete -c repute -n "__fish_repute_using_subcommand setup" -l publish -d 'Publish the records, and how' -r -f -a "rfc2136\t'DNS UPDATE with a TSIG key'
cloudflare\t'Cloudflare\'s interface'
desec\t'deSEC\'s interface'
digitalocean\t'DigitalOcean\'s interface'
hetzner\t'Hetzner\'s interface'"
complete -c repute -n "__fish_repute_using_subcommand setup" -l server -d 'The DNS server that takes changes: the zone\'s primary, with or without a port; of a host, another URL than its own' -r
complete -c repute -n "__fish_repute_using_subcommand setup" -l key-name -d 'The name of the key, if it is not in the file' -r
complete -c repute -n "__fish_repute_using_subcommand setup" -l key-file -d 'The key that the server knows, as `tsig-keygen` writes it, or the secret in base64' -r -F
complete -c repute -n "__fish_repute_using_subcommand setup" -l token-file -d 'A file whose first line is the token for the DNS host [default: what REPUTE_DNS_TOKEN holds]' -r -F
complete -c repute -n "__fish_repute_using_subcommand setup" -l zone -d 'A zone that may be changed; may be given several times [default: those of the names]' -r
complete -c repute -n "__fish_repute_using_subcommand setup" -l resolver -d 'Ask these resolvers; a new configuration names them' -r
complete -c repute -n "__fish_repute_using_subcommand setup" -l wait -d 'How long DNS is waited for [default: 10m where it publishes or a terminal looks on, else 0s]' -r
complete -c repute -n "__fish_repute_using_subcommand setup" -l mx -d 'The host that is to take the mail of a domain that has no MX yet; one that is there stays' -r
complete -c repute -n "__fish_repute_using_subcommand setup" -l to -d 'Where all is right, send the first message there and say what becomes of it' -r
complete -c repute -n "__fish_repute_using_subcommand setup" -l hoster -d 'Whose address it is, if that is not seen from its name' -r
complete -c repute -n "__fish_repute_using_subcommand setup" -s c -l config -d 'The configuration file [default: /etc/repute/repute.toml, else ./repute.toml]' -r -F
complete -c repute -n "__fish_repute_using_subcommand setup" -s y -l yes -d 'Take what is proposed and ask nothing, also before DNS is changed'
complete -c repute -n "__fish_repute_using_subcommand setup" -l no-return-path -d 'Let bounces go to the sender\'s own address, not to bounces.DOMAIN and this server'
complete -c repute -n "__fish_repute_using_subcommand setup" -l mta-sts -d 'Add the MTA-STS record, once https://mta-sts.RETURN_PATH/.well-known/mta-sts.txt serves the policy'
complete -c repute -n "__fish_repute_using_subcommand setup" -l json -d 'Answer in JSON, for programs'
complete -c repute -n "__fish_repute_using_subcommand setup" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c repute -n "__fish_repute_using_subcommand records" -l format -d 'How they are printed; `--json` is `--format json`' -r -f -a "table\t'For people'
zone\t'Lines for a zone file'
json\t''
nsupdate\t'Commands for nsupdate; with --diff those that make it right'"
complete -c repute -n "__fish_repute_using_subcommand records" -l server -d 'A name server of the zone that listens on another port than 53' -r
complete -c repute -n "__fish_repute_using_subcommand records" -s c -l config -d 'The configuration file [default: /etc/repute/repute.toml, else ./repute.toml]' -r -F
complete -c repute -n "__fish_repute_using_subcommand records" -l diff -d 'Compare with what every authoritative name server says'
complete -c repute -n "__fish_repute_using_subcommand records" -l mta-sts -d 'Add the MTA-STS record, once https://mta-sts.RETURN_PATH/.well-known/mta-sts.txt serves the policy'
complete -c repute -n "__fish_repute_using_subcommand records" -l json -d 'Answer in JSON, for programs'
complete -c repute -n "__fish_repute_using_subcommand records" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c repute -n "__fish_repute_using_subcommand check" -l only -d 'Only these checks, by id or group: `name.fcrdns`, `spf`; several with commas' -r
complete -c repute -n "__fish_repute_using_subcommand check" -l explain -d 'Tell what a check is for, who refuses mail for it, and where that is written' -r
complete -c repute -n "__fish_repute_using_subcommand check" -l deadline -d 'Say what is not known after so many seconds' -r
complete -c repute -n "__fish_repute_using_subcommand check" -l dns-port -d 'The port of authoritative servers, for tests' -r
complete -c repute -n "__fish_repute_using_subcommand check" -s c -l config -d 'The configuration file [default: /etc/repute/repute.toml, else ./repute.toml]' -r -F
complete -c repute -n "__fish_repute_using_subcommand check" -l list -d 'List every check there is'
complete -c repute -n "__fish_repute_using_subcommand check" -s v -l verbose -d 'Show what passes too'
complete -c repute -n "__fish_repute_using_subcommand check" -l dns-only -d 'Ask DNS alone: connect to nobody, so that port 25, clocks, mailboxes and web pages are left out'
complete -c repute -n "__fish_repute_using_subcommand check" -l json -d 'Answer in JSON, for programs'
complete -c repute -n "__fish_repute_using_subcommand check" -s h -l help -d 'Print help'
complete -c repute -n "__fish_repute_using_subcommand serve" -s c -l config -d 'The configuration file [default: /etc/repute/repute.toml, else ./repute.toml]' -r -F
complete -c repute -n "__fish_repute_using_subcommand serve" -l held -d 'Hold all that waits from before until it is released: for a state folder put back from a copy, in which stands as waiting what has been delivered since. New mail goes as ever'
complete -c repute -n "__fish_repute_using_subcommand serve" -l json -d 'Answer in JSON, for programs'
complete -c repute -n "__fish_repute_using_subcommand serve" -s h -l help -d 'Print help'
complete -c repute -n "__fish_repute_using_subcommand demo" -l messages -d 'How many messages are sent' -r
complete -c repute -n "__fish_repute_using_subcommand demo" -s c -l config -d 'The configuration file [default: /etc/repute/repute.toml, else ./repute.toml]' -r -F
complete -c repute -n "__fish_repute_using_subcommand demo" -l no-story -d 'Leave out the story, and send the messages at once'
complete -c repute -n "__fish_repute_using_subcommand demo" -l keep -d 'Keep the server running and its folder until Ctrl-C, to look around'
complete -c repute -n "__fish_repute_using_subcommand demo" -l one-address -d 'Tell receivers apart by port on 127.0.0.1, as is done where loopback has no other address'
complete -c repute -n "__fish_repute_using_subcommand demo" -l json -d 'Answer in JSON, for programs'
complete -c repute -n "__fish_repute_using_subcommand demo" -s h -l help -d 'Print help'
complete -c repute -n "__fish_repute_using_subcommand account; and not __fish_seen_subcommand_from add help" -s c -l config -d 'The configuration file [default: /etc/repute/repute.toml, else ./repute.toml]' -r -F
complete -c repute -n "__fish_repute_using_subcommand account; and not __fish_seen_subcommand_from add help" -l json -d 'Answer in JSON, for programs'
complete -c repute -n "__fish_repute_using_subcommand account; and not __fish_seen_subcommand_from add help" -s h -l help -d 'Print help'
complete -c repute -n "__fish_repute_using_subcommand account; and not __fish_seen_subcommand_from add help" -f -a "add" -d 'Make an account: asks for a password, prints the block for the configuration'
complete -c repute -n "__fish_repute_using_subcommand account; and not __fish_seen_subcommand_from add help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c repute -n "__fish_repute_using_subcommand account; and __fish_seen_subcommand_from add" -l domain -d 'A domain that the account may send as; may be given several times' -r
complete -c repute -n "__fish_repute_using_subcommand account; and __fish_seen_subcommand_from add" -s c -l config -d 'The configuration file [default: /etc/repute/repute.toml, else ./repute.toml]' -r -F
complete -c repute -n "__fish_repute_using_subcommand account; and __fish_seen_subcommand_from add" -l bulk -d 'The account sends bulk mail, which goes after transactional mail'
complete -c repute -n "__fish_repute_using_subcommand account; and __fish_seen_subcommand_from add" -l generate -d 'Make up a password and print it'
complete -c repute -n "__fish_repute_using_subcommand account; and __fish_seen_subcommand_from add" -l write -d 'Append the block to the configuration file'
complete -c repute -n "__fish_repute_using_subcommand account; and __fish_seen_subcommand_from add" -l json -d 'Answer in JSON, for programs'
complete -c repute -n "__fish_repute_using_subcommand account; and __fish_seen_subcommand_from add" -s h -l help -d 'Print help'
complete -c repute -n "__fish_repute_using_subcommand account; and __fish_seen_subcommand_from help" -f -a "add" -d 'Make an account: asks for a password, prints the block for the configuration'
complete -c repute -n "__fish_repute_using_subcommand account; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c repute -n "__fish_repute_using_subcommand token; and not __fish_seen_subcommand_from add ses help" -s c -l config -d 'The configuration file [default: /etc/repute/repute.toml, else ./repute.toml]' -r -F
complete -c repute -n "__fish_repute_using_subcommand token; and not __fish_seen_subcommand_from add ses help" -l json -d 'Answer in JSON, for programs'
complete -c repute -n "__fish_repute_using_subcommand token; and not __fish_seen_subcommand_from add ses help" -s h -l help -d 'Print help'
complete -c repute -n "__fish_repute_using_subcommand token; and not __fish_seen_subcommand_from add ses help" -f -a "add" -d 'Make a token: prints it, and the block for the configuration'
complete -c repute -n "__fish_repute_using_subcommand token; and not __fish_seen_subcommand_from add ses help" -f -a "ses" -d 'Print the access key id and the secret that clients of Amazon SES sign with'
complete -c repute -n "__fish_repute_using_subcommand token; and not __fish_seen_subcommand_from add ses help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c repute -n "__fish_repute_using_subcommand token; and __fish_seen_subcommand_from add" -l account -d 'The account whose mail it hands in and asks about; without it the mail of all accounts, and no sending' -r
complete -c repute -n "__fish_repute_using_subcommand token; and __fish_seen_subcommand_from add" -l allow -d 'What it may do; several with commas [default: send,read; without an account: read]' -r -f -a "send\t'Hand in messages'
read\t'Ask what became of messages, and how the server is'
queue\t'Hold, release, retry and cancel what waits'
suppress\t'Change the list of those who are to be left alone'
operate\t'Say which mail may leave, close circuits, handle webhooks; without an account'
metrics\t'Read the metrics; without an account'"
complete -c repute -n "__fish_repute_using_subcommand token; and __fish_seen_subcommand_from add" -s c -l config -d 'The configuration file [default: /etc/repute/repute.toml, else ./repute.toml]' -r -F
complete -c repute -n "__fish_repute_using_subcommand token; and __fish_seen_subcommand_from add" -l write -d 'Append the block to the configuration file'
complete -c repute -n "__fish_repute_using_subcommand token; and __fish_seen_subcommand_from add" -l json -d 'Answer in JSON, for programs'
complete -c repute -n "__fish_repute_using_subcommand token; and __fish_seen_subcommand_from add" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c repute -n "__fish_repute_using_subcommand token; and __fish_seen_subcommand_from ses" -s c -l config -d 'The configuration file [default: /etc/repute/repute.toml, else ./repute.toml]' -r -F
complete -c repute -n "__fish_repute_using_subcommand token; and __fish_seen_subcommand_from ses" -l json -d 'Answer in JSON, for programs'
complete -c repute -n "__fish_repute_using_subcommand token; and __fish_seen_subcommand_from ses" -s h -l help -d 'Print help'
complete -c repute -n "__fish_repute_using_subcommand token; and __fish_seen_subcommand_from help" -f -a "add" -d 'Make a token: prints it, and the block for the configuration'
complete -c repute -n "__fish_repute_using_subcommand token; and __fish_seen_subcommand_from help" -f -a "ses" -d 'Print the access key id and the secret that clients of Amazon SES sign with'
complete -c repute -n "__fish_repute_using_subcommand token; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c repute -n "__fish_repute_using_subcommand domain; and not __fish_seen_subcommand_from add list records rotate help" -s c -l config -d 'The configuration file [default: /etc/repute/repute.toml, else ./repute.toml]' -r -F
complete -c repute -n "__fish_repute_using_subcommand domain; and not __fish_seen_subcommand_from add list records rotate help" -l json -d 'Answer in JSON, for programs'
complete -c repute -n "__fish_repute_using_subcommand domain; and not __fish_seen_subcommand_from add list records rotate help" -s h -l help -d 'Print help'
complete -c repute -n "__fish_repute_using_subcommand domain; and not __fish_seen_subcommand_from add list records rotate help" -f -a "add" -d 'Make the keys of a domain, and print its records and its block for the configuration'
complete -c repute -n "__fish_repute_using_subcommand domain; and not __fish_seen_subcommand_from add list records rotate help" -f -a "list" -d 'List the domains that are set up, with their keys'
complete -c repute -n "__fish_repute_using_subcommand domain; and not __fish_seen_subcommand_from add list records rotate help" -f -a "records" -d 'Print the DNS records to publish for a domain'
complete -c repute -n "__fish_repute_using_subcommand domain; and not __fish_seen_subcommand_from add list records rotate help" -f -a "rotate" -d 'Exchange the keys of a domain for new ones, without a message that does not verify'
complete -c repute -n "__fish_repute_using_subcommand domain; and not __fish_seen_subcommand_from add list records rotate help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c repute -n "__fish_repute_using_subcommand domain; and __fish_seen_subcommand_from add" -s c -l config -d 'The configuration file [default: /etc/repute/repute.toml, else ./repute.toml]' -r -F
complete -c repute -n "__fish_repute_using_subcommand domain; and __fish_seen_subcommand_from add" -l write -d 'Append the block to the configuration file'
complete -c repute -n "__fish_repute_using_subcommand domain; and __fish_seen_subcommand_from add" -l json -d 'Answer in JSON, for programs'
complete -c repute -n "__fish_repute_using_subcommand domain; and __fish_seen_subcommand_from add" -s h -l help -d 'Print help'
complete -c repute -n "__fish_repute_using_subcommand domain; and __fish_seen_subcommand_from list" -s c -l config -d 'The configuration file [default: /etc/repute/repute.toml, else ./repute.toml]' -r -F
complete -c repute -n "__fish_repute_using_subcommand domain; and __fish_seen_subcommand_from list" -l json -d 'Answer in JSON, for programs'
complete -c repute -n "__fish_repute_using_subcommand domain; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c repute -n "__fish_repute_using_subcommand domain; and __fish_seen_subcommand_from records" -s c -l config -d 'The configuration file [default: /etc/repute/repute.toml, else ./repute.toml]' -r -F
complete -c repute -n "__fish_repute_using_subcommand domain; and __fish_seen_subcommand_from records" -l json -d 'Answer in JSON, for programs'
complete -c repute -n "__fish_repute_using_subcommand domain; and __fish_seen_subcommand_from records" -s h -l help -d 'Print help'
complete -c repute -n "__fish_repute_using_subcommand domain; and __fish_seen_subcommand_from rotate" -l keep -d 'How long the record of an old key stays in DNS [default: 12d]' -r
complete -c repute -n "__fish_repute_using_subcommand domain; and __fish_seen_subcommand_from rotate" -l publish -d 'Publish the records, and how' -r -f -a "rfc2136\t'DNS UPDATE with a TSIG key'
cloudflare\t'Cloudflare\'s interface'
desec\t'deSEC\'s interface'
digitalocean\t'DigitalOcean\'s interface'
hetzner\t'Hetzner\'s interface'"
complete -c repute -n "__fish_repute_using_subcommand domain; and __fish_seen_subcommand_from rotate" -l server -d 'The DNS server that takes changes: the zone\'s primary, with or without a port; of a host, another URL than its own' -r
complete -c repute -n "__fish_repute_using_subcommand domain; and __fish_seen_subcommand_from rotate" -l key-name -d 'The name of the key, if it is not in the file' -r
complete -c repute -n "__fish_repute_using_subcommand domain; and __fish_seen_subcommand_from rotate" -l key-file -d 'The key that the server knows, as `tsig-keygen` writes it, or the secret in base64' -r -F
complete -c repute -n "__fish_repute_using_subcommand domain; and __fish_seen_subcommand_from rotate" -l token-file -d 'A file whose first line is the token for the DNS host [default: what REPUTE_DNS_TOKEN holds]' -r -F
complete -c repute -n "__fish_repute_using_subcommand domain; and __fish_seen_subcommand_from rotate" -l zone -d 'A zone that may be changed; may be given several times [default: those of the names]' -r
complete -c repute -n "__fish_repute_using_subcommand domain; and __fish_seen_subcommand_from rotate" -l resolver -d 'Ask these resolvers; a new configuration names them' -r
complete -c repute -n "__fish_repute_using_subcommand domain; and __fish_seen_subcommand_from rotate" -l wait -d 'How long DNS is waited for [default: 10m where it publishes or a terminal looks on, else 0s]' -r
complete -c repute -n "__fish_repute_using_subcommand domain; and __fish_seen_subcommand_from rotate" -s c -l config -d 'The configuration file [default: /etc/repute/repute.toml, else ./repute.toml]' -r -F
complete -c repute -n "__fish_repute_using_subcommand domain; and __fish_seen_subcommand_from rotate" -s y -l yes -d 'Take what is proposed and ask nothing, also before DNS is changed'
complete -c repute -n "__fish_repute_using_subcommand domain; and __fish_seen_subcommand_from rotate" -l json -d 'Answer in JSON, for programs'
complete -c repute -n "__fish_repute_using_subcommand domain; and __fish_seen_subcommand_from rotate" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c repute -n "__fish_repute_using_subcommand domain; and __fish_seen_subcommand_from help" -f -a "add" -d 'Make the keys of a domain, and print its records and its block for the configuration'
complete -c repute -n "__fish_repute_using_subcommand domain; and __fish_seen_subcommand_from help" -f -a "list" -d 'List the domains that are set up, with their keys'
complete -c repute -n "__fish_repute_using_subcommand domain; and __fish_seen_subcommand_from help" -f -a "records" -d 'Print the DNS records to publish for a domain'
complete -c repute -n "__fish_repute_using_subcommand domain; and __fish_seen_subcommand_from help" -f -a "rotate" -d 'Exchange the keys of a domain for new ones, without a message that does not verify'
complete -c repute -n "__fish_repute_using_subcommand domain; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c repute -n "__fish_repute_using_subcommand queue; and not __fish_seen_subcommand_from list show hold release retry cancel help" -s c -l config -d 'The configuration file [default: /etc/repute/repute.toml, else ./repute.toml]' -r -F
complete -c repute -n "__fish_repute_using_subcommand queue; and not __fish_seen_subcommand_from list show hold release retry cancel help" -l json -d 'Answer in JSON, for programs'
complete -c repute -n "__fish_repute_using_subcommand queue; and not __fish_seen_subcommand_from list show hold release retry cancel help" -s h -l help -d 'Print help'
complete -c repute -n "__fish_repute_using_subcommand queue; and not __fish_seen_subcommand_from list show hold release retry cancel help" -f -a "list" -d 'List what waits'
complete -c repute -n "__fish_repute_using_subcommand queue; and not __fish_seen_subcommand_from list show hold release retry cancel help" -f -a "show" -d 'Show messages with their recipients and what was last said about each'
complete -c repute -n "__fish_repute_using_subcommand queue; and not __fish_seen_subcommand_from list show hold release retry cancel help" -f -a "hold" -d 'Keep messages from being tried until they are released'
complete -c repute -n "__fish_repute_using_subcommand queue; and not __fish_seen_subcommand_from list show hold release retry cancel help" -f -a "release" -d 'Let held messages go: they are tried now, or at the time that they were to be sent at, if it is ahead'
complete -c repute -n "__fish_repute_using_subcommand queue; and not __fish_seen_subcommand_from list show hold release retry cancel help" -f -a "retry" -d 'Try waiting messages now; those that are to be sent later only if they are named by their ID'
complete -c repute -n "__fish_repute_using_subcommand queue; and not __fish_seen_subcommand_from list show hold release retry cancel help" -f -a "cancel" -d 'Take messages out of the queue; their senders are not told'
complete -c repute -n "__fish_repute_using_subcommand queue; and not __fish_seen_subcommand_from list show hold release retry cancel help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c repute -n "__fish_repute_using_subcommand queue; and __fish_seen_subcommand_from list" -l id -d 'The same as ID' -r
complete -c repute -n "__fish_repute_using_subcommand queue; and __fish_seen_subcommand_from list" -l domain -d 'The recipients\' domain' -r
complete -c repute -n "__fish_repute_using_subcommand queue; and __fish_seen_subcommand_from list" -l sender -d 'The sender, or all of a domain: @example.com' -r
complete -c repute -n "__fish_repute_using_subcommand queue; and __fish_seen_subcommand_from list" -l recipient -d 'A recipient' -r
complete -c repute -n "__fish_repute_using_subcommand queue; and __fish_seen_subcommand_from list" -l account -d 'The account that sent it' -r
complete -c repute -n "__fish_repute_using_subcommand queue; and __fish_seen_subcommand_from list" -l age -l older-than -d 'Waiting for longer than this: 30m, 4h, 2d' -r
complete -c repute -n "__fish_repute_using_subcommand queue; and __fish_seen_subcommand_from list" -l limit -d 'At most this many' -r
complete -c repute -n "__fish_repute_using_subcommand queue; and __fish_seen_subcommand_from list" -s c -l config -d 'The configuration file [default: /etc/repute/repute.toml, else ./repute.toml]' -r -F
complete -c repute -n "__fish_repute_using_subcommand queue; and __fish_seen_subcommand_from list" -l held -d 'Only what is held'
complete -c repute -n "__fish_repute_using_subcommand queue; and __fish_seen_subcommand_from list" -l all -d 'Everything'
complete -c repute -n "__fish_repute_using_subcommand queue; and __fish_seen_subcommand_from list" -l json -d 'Answer in JSON, for programs'
complete -c repute -n "__fish_repute_using_subcommand queue; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c repute -n "__fish_repute_using_subcommand queue; and __fish_seen_subcommand_from show" -l id -d 'The same as ID' -r
complete -c repute -n "__fish_repute_using_subcommand queue; and __fish_seen_subcommand_from show" -l domain -d 'The recipients\' domain' -r
complete -c repute -n "__fish_repute_using_subcommand queue; and __fish_seen_subcommand_from show" -l sender -d 'The sender, or all of a domain: @example.com' -r
complete -c repute -n "__fish_repute_using_subcommand queue; and __fish_seen_subcommand_from show" -l recipient -d 'A recipient' -r
complete -c repute -n "__fish_repute_using_subcommand queue; and __fish_seen_subcommand_from show" -l account -d 'The account that sent it' -r
complete -c repute -n "__fish_repute_using_subcommand queue; and __fish_seen_subcommand_from show" -l age -l older-than -d 'Waiting for longer than this: 30m, 4h, 2d' -r
complete -c repute -n "__fish_repute_using_subcommand queue; and __fish_seen_subcommand_from show" -s c -l config -d 'The configuration file [default: /etc/repute/repute.toml, else ./repute.toml]' -r -F
complete -c repute -n "__fish_repute_using_subcommand queue; and __fish_seen_subcommand_from show" -l held -d 'Only what is held'
complete -c repute -n "__fish_repute_using_subcommand queue; and __fish_seen_subcommand_from show" -l all -d 'Everything'
complete -c repute -n "__fish_repute_using_subcommand queue; and __fish_seen_subcommand_from show" -l json -d 'Answer in JSON, for programs'
complete -c repute -n "__fish_repute_using_subcommand queue; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help'
complete -c repute -n "__fish_repute_using_subcommand queue; and __fish_seen_subcommand_from hold" -l id -d 'The same as ID' -r
complete -c repute -n "__fish_repute_using_subcommand queue; and __fish_seen_subcommand_from hold" -l domain -d 'The recipients\' domain' -r
complete -c repute -n "__fish_repute_using_subcommand queue; and __fish_seen_subcommand_from hold" -l sender -d 'The sender, or all of a domain: @example.com' -r
complete -c repute -n "__fish_repute_using_subcommand queue; and __fish_seen_subcommand_from hold" -l recipient -d 'A recipient' -r
complete -c repute -n "__fish_repute_using_subcommand queue; and __fish_seen_subcommand_from hold" -l account -d 'The account that sent it' -r
complete -c repute -n "__fish_repute_using_subcommand queue; and __fish_seen_subcommand_from hold" -l age -l older-than -d 'Waiting for longer than this: 30m, 4h, 2d' -r
complete -c repute -n "__fish_repute_using_subcommand queue; and __fish_seen_subcommand_from hold" -l reason -d 'Why, for those who find it held' -r
complete -c repute -n "__fish_repute_using_subcommand queue; and __fish_seen_subcommand_from hold" -s c -l config -d 'The configuration file [default: /etc/repute/repute.toml, else ./repute.toml]' -r -F
complete -c repute -n "__fish_repute_using_subcommand queue; and __fish_seen_subcommand_from hold" -l held -d 'Only what is held'
complete -c repute -n "__fish_repute_using_subcommand queue; and __fish_seen_subcommand_from hold" -l all -d 'Everything'
complete -c repute -n "__fish_repute_using_subcommand queue; and __fish_seen_subcommand_from hold" -l json -d 'Answer in JSON, for programs'
complete -c repute -n "__fish_repute_using_subcommand queue; and __fish_seen_subcommand_from hold" -s h -l help -d 'Print help'
complete -c repute -n "__fish_repute_using_subcommand queue; and __fish_seen_subcommand_from release" -l id -d 'The same as ID' -r
complete -c repute -n "__fish_repute_using_subcommand queue; and __fish_seen_subcommand_from release" -l domain -d 'The recipients\' domain' -r
complete -c repute -n "__fish_repute_using_subcommand queue; and __fish_seen_subcommand_from release" -l sender -d 'The sender, or all of a domain: @example.com' -r
complete -c repute -n "__fish_repute_using_subcommand queue; and __fish_seen_subcommand_from release" -l recipient -d 'A recipient' -r
complete -c repute -n "__fish_repute_using_subcommand queue; and __fish_seen_subcommand_from release" -l account -d 'The account that sent it' -r
complete -c repute -n "__fish_repute_using_subcommand queue; and __fish_seen_subcommand_from release" -l age -l older-than -d 'Waiting for longer than this: 30m, 4h, 2d' -r
complete -c repute -n "__fish_repute_using_subcommand queue; and __fish_seen_subcommand_from release" -s c -l config -d 'The configuration file [default: /etc/repute/repute.toml, else ./repute.toml]' -r -F
complete -c repute -n "__fish_repute_using_subcommand queue; and __fish_seen_subcommand_from release" -l held -d 'Only what is held'
complete -c repute -n "__fish_repute_using_subcommand queue; and __fish_seen_subcommand_from release" -l all -d 'Everything'
complete -c repute -n "__fish_repute_using_subcommand queue; and __fish_seen_subcommand_from release" -l json -d 'Answer in JSON, for programs'
complete -c repute -n "__fish_repute_using_subcommand queue; and __fish_seen_subcommand_from release" -s h -l help -d 'Print help'
complete -c repute -n "__fish_repute_using_subcommand queue; and __fish_seen_subcommand_from retry" -l id -d 'The same as ID' -r
complete -c repute -n "__fish_repute_using_subcommand queue; and __fish_seen_subcommand_from retry" -l domain -d 'The recipients\' domain' -r
complete -c repute -n "__fish_repute_using_subcommand queue; and __fish_seen_subcommand_from retry" -l sender -d 'The sender, or all of a domain: @example.com' -r
complete -c repute -n "__fish_repute_using_subcommand queue; and __fish_seen_subcommand_from retry" -l recipient -d 'A recipient' -r
complete -c repute -n "__fish_repute_using_subcommand queue; and __fish_seen_subcommand_from retry" -l account -d 'The account that sent it' -r
complete -c repute -n "__fish_repute_using_subcommand queue; and __fish_seen_subcommand_from retry" -l age -l older-than -d 'Waiting for longer than this: 30m, 4h, 2d' -r
complete -c repute -n "__fish_repute_using_subcommand queue; and __fish_seen_subcommand_from retry" -s c -l config -d 'The configuration file [default: /etc/repute/repute.toml, else ./repute.toml]' -r -F
complete -c repute -n "__fish_repute_using_subcommand queue; and __fish_seen_subcommand_from retry" -l held -d 'Only what is held'
complete -c repute -n "__fish_repute_using_subcommand queue; and __fish_seen_subcommand_from retry" -l all -d 'Everything'
complete -c repute -n "__fish_repute_using_subcommand queue; and __fish_seen_subcommand_from retry" -l json -d 'Answer in JSON, for programs'
complete -c repute -n "__fish_repute_using_subcommand queue; and __fish_seen_subcommand_from retry" -s h -l help -d 'Print help'
complete -c repute -n "__fish_repute_using_subcommand queue; and __fish_seen_subcommand_from cancel" -l id -d 'The same as ID' -r
complete -c repute -n "__fish_repute_using_subcommand queue; and __fish_seen_subcommand_from cancel" -l domain -d 'The recipients\' domain' -r
complete -c repute -n "__fish_repute_using_subcommand queue; and __fish_seen_subcommand_from cancel" -l sender -d 'The sender, or all of a domain: @example.com' -r
complete -c repute -n "__fish_repute_using_subcommand queue; and __fish_seen_subcommand_from cancel" -l recipient -d 'A recipient' -r
complete -c repute -n "__fish_repute_using_subcommand queue; and __fish_seen_subcommand_from cancel" -l account -d 'The account that sent it' -r
complete -c repute -n "__fish_repute_using_subcommand queue; and __fish_seen_subcommand_from cancel" -l age -l older-than -d 'Waiting for longer than this: 30m, 4h, 2d' -r
complete -c repute -n "__fish_repute_using_subcommand queue; and __fish_seen_subcommand_from cancel" -s c -l config -d 'The configuration file [default: /etc/repute/repute.toml, else ./repute.toml]' -r -F
complete -c repute -n "__fish_repute_using_subcommand queue; and __fish_seen_subcommand_from cancel" -l held -d 'Only what is held'
complete -c repute -n "__fish_repute_using_subcommand queue; and __fish_seen_subcommand_from cancel" -l all -d 'Everything'
complete -c repute -n "__fish_repute_using_subcommand queue; and __fish_seen_subcommand_from cancel" -l json -d 'Answer in JSON, for programs'
complete -c repute -n "__fish_repute_using_subcommand queue; and __fish_seen_subcommand_from cancel" -s h -l help -d 'Print help'
complete -c repute -n "__fish_repute_using_subcommand queue; and __fish_seen_subcommand_from help" -f -a "list" -d 'List what waits'
complete -c repute -n "__fish_repute_using_subcommand queue; and __fish_seen_subcommand_from help" -f -a "show" -d 'Show messages with their recipients and what was last said about each'
complete -c repute -n "__fish_repute_using_subcommand queue; and __fish_seen_subcommand_from help" -f -a "hold" -d 'Keep messages from being tried until they are released'
complete -c repute -n "__fish_repute_using_subcommand queue; and __fish_seen_subcommand_from help" -f -a "release" -d 'Let held messages go: they are tried now, or at the time that they were to be sent at, if it is ahead'
complete -c repute -n "__fish_repute_using_subcommand queue; and __fish_seen_subcommand_from help" -f -a "retry" -d 'Try waiting messages now; those that are to be sent later only if they are named by their ID'
complete -c repute -n "__fish_repute_using_subcommand queue; and __fish_seen_subcommand_from help" -f -a "cancel" -d 'Take messages out of the queue; their senders are not told'
complete -c repute -n "__fish_repute_using_subcommand queue; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c repute -n "__fish_repute_using_subcommand bulk; and not __fish_seen_subcommand_from list show watch pause resume cancel help" -l list -d 'The list: CSV with a header row that names the fields, JSON lines (.jsonl) or a JSON array of objects; `email` is the address' -r -F
complete -c repute -n "__fish_repute_using_subcommand bulk; and not __fish_seen_subcommand_from list show watch pause resume cancel help" -l letter -d 'The letter: a MIME message with merge fields as {{ first_name }}' -r -F
complete -c repute -n "__fish_repute_using_subcommand bulk; and not __fish_seen_subcommand_from list show watch pause resume cancel help" -l account -d 'The account that sends it' -r
complete -c repute -n "__fish_repute_using_subcommand bulk; and not __fish_seen_subcommand_from list show watch pause resume cancel help" -l campaign -d 'What the campaign is called [default: the letter\'s file name]' -r
complete -c repute -n "__fish_repute_using_subcommand bulk; and not __fish_seen_subcommand_from list show watch pause resume cancel help" -l list-name -d 'The list that recipients leave with one click [default: the list\'s file name]' -r
complete -c repute -n "__fish_repute_using_subcommand bulk; and not __fish_seen_subcommand_from list show watch pause resume cancel help" -l preview -d 'Show the messages of the first N people who are written to, and send nothing' -r
complete -c repute -n "__fish_repute_using_subcommand bulk; and not __fish_seen_subcommand_from list show watch pause resume cancel help" -l refused -d 'Where refused rows go, with the reasons [default: LIST.refused.csv]' -r -F
complete -c repute -n "__fish_repute_using_subcommand bulk; and not __fish_seen_subcommand_from list show watch pause resume cancel help" -s c -l config -d 'The configuration file [default: /etc/repute/repute.toml, else ./repute.toml]' -r -F
complete -c repute -n "__fish_repute_using_subcommand bulk; and not __fish_seen_subcommand_from list show watch pause resume cancel help" -l check -d 'Check the list, and send nothing'
complete -c repute -n "__fish_repute_using_subcommand bulk; and not __fish_seen_subcommand_from list show watch pause resume cancel help" -l yes -d 'Send without asking'
complete -c repute -n "__fish_repute_using_subcommand bulk; and not __fish_seen_subcommand_from list show watch pause resume cancel help" -l allow-roles -d 'Write also to postmaster@, noreply@ and their like'
complete -c repute -n "__fish_repute_using_subcommand bulk; and not __fish_seen_subcommand_from list show watch pause resume cancel help" -l no-dns -d 'Do not ask the name servers which domains take mail'
complete -c repute -n "__fish_repute_using_subcommand bulk; and not __fish_seen_subcommand_from list show watch pause resume cancel help" -l no-watch -d 'Launch and come back at once'
complete -c repute -n "__fish_repute_using_subcommand bulk; and not __fish_seen_subcommand_from list show watch pause resume cancel help" -l json -d 'Answer in JSON, for programs'
complete -c repute -n "__fish_repute_using_subcommand bulk; and not __fish_seen_subcommand_from list show watch pause resume cancel help" -s h -l help -d 'Print help'
complete -c repute -n "__fish_repute_using_subcommand bulk; and not __fish_seen_subcommand_from list show watch pause resume cancel help" -f -a "list" -d 'List the campaigns of the last 90 days'
complete -c repute -n "__fish_repute_using_subcommand bulk; and not __fish_seen_subcommand_from list show watch pause resume cancel help" -f -a "show" -d 'Show one campaign, by its name or id'
complete -c repute -n "__fish_repute_using_subcommand bulk; and not __fish_seen_subcommand_from list show watch pause resume cancel help" -f -a "watch" -d 'Show how far a campaign is until it is done'
complete -c repute -n "__fish_repute_using_subcommand bulk; and not __fish_seen_subcommand_from list show watch pause resume cancel help" -f -a "pause" -d 'Send nothing more of a campaign until it is resumed'
complete -c repute -n "__fish_repute_using_subcommand bulk; and not __fish_seen_subcommand_from list show watch pause resume cancel help" -f -a "resume" -d 'Go on with a paused campaign'
complete -c repute -n "__fish_repute_using_subcommand bulk; and not __fish_seen_subcommand_from list show watch pause resume cancel help" -f -a "cancel" -d 'Send nothing more of it, from the answer on; who was not written to yet is taken out behind it'
complete -c repute -n "__fish_repute_using_subcommand bulk; and not __fish_seen_subcommand_from list show watch pause resume cancel help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c repute -n "__fish_repute_using_subcommand bulk; and __fish_seen_subcommand_from list" -s c -l config -d 'The configuration file [default: /etc/repute/repute.toml, else ./repute.toml]' -r -F
complete -c repute -n "__fish_repute_using_subcommand bulk; and __fish_seen_subcommand_from list" -l json -d 'Answer in JSON, for programs'
complete -c repute -n "__fish_repute_using_subcommand bulk; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c repute -n "__fish_repute_using_subcommand bulk; and __fish_seen_subcommand_from show" -s c -l config -d 'The configuration file [default: /etc/repute/repute.toml, else ./repute.toml]' -r -F
complete -c repute -n "__fish_repute_using_subcommand bulk; and __fish_seen_subcommand_from show" -l json -d 'Answer in JSON, for programs'
complete -c repute -n "__fish_repute_using_subcommand bulk; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help'
complete -c repute -n "__fish_repute_using_subcommand bulk; and __fish_seen_subcommand_from watch" -s c -l config -d 'The configuration file [default: /etc/repute/repute.toml, else ./repute.toml]' -r -F
complete -c repute -n "__fish_repute_using_subcommand bulk; and __fish_seen_subcommand_from watch" -l json -d 'Answer in JSON, for programs'
complete -c repute -n "__fish_repute_using_subcommand bulk; and __fish_seen_subcommand_from watch" -s h -l help -d 'Print help'
complete -c repute -n "__fish_repute_using_subcommand bulk; and __fish_seen_subcommand_from pause" -l reason -d 'Why, for those who find it paused' -r
complete -c repute -n "__fish_repute_using_subcommand bulk; and __fish_seen_subcommand_from pause" -s c -l config -d 'The configuration file [default: /etc/repute/repute.toml, else ./repute.toml]' -r -F
complete -c repute -n "__fish_repute_using_subcommand bulk; and __fish_seen_subcommand_from pause" -l json -d 'Answer in JSON, for programs'
complete -c repute -n "__fish_repute_using_subcommand bulk; and __fish_seen_subcommand_from pause" -s h -l help -d 'Print help'
complete -c repute -n "__fish_repute_using_subcommand bulk; and __fish_seen_subcommand_from resume" -s c -l config -d 'The configuration file [default: /etc/repute/repute.toml, else ./repute.toml]' -r -F
complete -c repute -n "__fish_repute_using_subcommand bulk; and __fish_seen_subcommand_from resume" -l json -d 'Answer in JSON, for programs'
complete -c repute -n "__fish_repute_using_subcommand bulk; and __fish_seen_subcommand_from resume" -s h -l help -d 'Print help'
complete -c repute -n "__fish_repute_using_subcommand bulk; and __fish_seen_subcommand_from cancel" -s c -l config -d 'The configuration file [default: /etc/repute/repute.toml, else ./repute.toml]' -r -F
complete -c repute -n "__fish_repute_using_subcommand bulk; and __fish_seen_subcommand_from cancel" -l json -d 'Answer in JSON, for programs'
complete -c repute -n "__fish_repute_using_subcommand bulk; and __fish_seen_subcommand_from cancel" -s h -l help -d 'Print help'
complete -c repute -n "__fish_repute_using_subcommand bulk; and __fish_seen_subcommand_from help" -f -a "list" -d 'List the campaigns of the last 90 days'
complete -c repute -n "__fish_repute_using_subcommand bulk; and __fish_seen_subcommand_from help" -f -a "show" -d 'Show one campaign, by its name or id'
complete -c repute -n "__fish_repute_using_subcommand bulk; and __fish_seen_subcommand_from help" -f -a "watch" -d 'Show how far a campaign is until it is done'
complete -c repute -n "__fish_repute_using_subcommand bulk; and __fish_seen_subcommand_from help" -f -a "pause" -d 'Send nothing more of a campaign until it is resumed'
complete -c repute -n "__fish_repute_using_subcommand bulk; and __fish_seen_subcommand_from help" -f -a "resume" -d 'Go on with a paused campaign'
complete -c repute -n "__fish_repute_using_subcommand bulk; and __fish_seen_subcommand_from help" -f -a "cancel" -d 'Send nothing more of it, from the answer on; who was not written to yet is taken out behind it'
complete -c repute -n "__fish_repute_using_subcommand bulk; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c repute -n "__fish_repute_using_subcommand why" -l limit -d 'At most so many steps' -r
complete -c repute -n "__fish_repute_using_subcommand why" -s c -l config -d 'The configuration file [default: /etc/repute/repute.toml, else ./repute.toml]' -r -F
complete -c repute -n "__fish_repute_using_subcommand why" -l json -d 'Answer in JSON, for programs'
complete -c repute -n "__fish_repute_using_subcommand why" -s h -l help -d 'Print help'
complete -c repute -n "__fish_repute_using_subcommand suppression; and not __fish_seen_subcommand_from list show add release import export help" -s c -l config -d 'The configuration file [default: /etc/repute/repute.toml, else ./repute.toml]' -r -F
complete -c repute -n "__fish_repute_using_subcommand suppression; and not __fish_seen_subcommand_from list show add release import export help" -l json -d 'Answer in JSON, for programs'
complete -c repute -n "__fish_repute_using_subcommand suppression; and not __fish_seen_subcommand_from list show add release import export help" -s h -l help -d 'Print help'
complete -c repute -n "__fish_repute_using_subcommand suppression; and not __fish_seen_subcommand_from list show add release import export help" -f -a "list" -d 'List who is not written to'
complete -c repute -n "__fish_repute_using_subcommand suppression; and not __fish_seen_subcommand_from list show add release import export help" -f -a "show" -d 'Show an address with cause, evidence and dates'
complete -c repute -n "__fish_repute_using_subcommand suppression; and not __fish_seen_subcommand_from list show add release import export help" -f -a "add" -d 'Write to an address no more'
complete -c repute -n "__fish_repute_using_subcommand suppression; and not __fish_seen_subcommand_from list show add release import export help" -f -a "release" -d 'Write to addresses again'
complete -c repute -n "__fish_repute_using_subcommand suppression; and not __fish_seen_subcommand_from list show add release import export help" -f -a "import" -d 'Add the addresses of a file: CSV with a head, a JSON object a line, or an address a line'
complete -c repute -n "__fish_repute_using_subcommand suppression; and not __fish_seen_subcommand_from list show add release import export help" -f -a "export" -d 'Write the list to the standard output'
complete -c repute -n "__fish_repute_using_subcommand suppression; and not __fish_seen_subcommand_from list show add release import export help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c repute -n "__fish_repute_using_subcommand suppression; and __fish_seen_subcommand_from list" -l domain -d 'The domain of the address' -r
complete -c repute -n "__fish_repute_using_subcommand suppression; and __fish_seen_subcommand_from list" -l account -d 'Entries of this account and its lists' -r
complete -c repute -n "__fish_repute_using_subcommand suppression; and __fish_seen_subcommand_from list" -l list -d 'Entries of this list of the account' -r
complete -c repute -n "__fish_repute_using_subcommand suppression; and __fish_seen_subcommand_from list" -l why -r
complete -c repute -n "__fish_repute_using_subcommand suppression; and __fish_seen_subcommand_from list" -l since -d 'Since this long at most: 30m, 4h, 2d' -r
complete -c repute -n "__fish_repute_using_subcommand suppression; and __fish_seen_subcommand_from list" -l limit -d 'At most this many' -r
complete -c repute -n "__fish_repute_using_subcommand suppression; and __fish_seen_subcommand_from list" -s c -l config -d 'The configuration file [default: /etc/repute/repute.toml, else ./repute.toml]' -r -F
complete -c repute -n "__fish_repute_using_subcommand suppression; and __fish_seen_subcommand_from list" -l json -d 'Answer in JSON, for programs'
complete -c repute -n "__fish_repute_using_subcommand suppression; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c repute -n "__fish_repute_using_subcommand suppression; and __fish_seen_subcommand_from show" -s c -l config -d 'The configuration file [default: /etc/repute/repute.toml, else ./repute.toml]' -r -F
complete -c repute -n "__fish_repute_using_subcommand suppression; and __fish_seen_subcommand_from show" -l json -d 'Answer in JSON, for programs'
complete -c repute -n "__fish_repute_using_subcommand suppression; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help'
complete -c repute -n "__fish_repute_using_subcommand suppression; and __fish_seen_subcommand_from add" -l account -d 'For mail of this account alone' -r
complete -c repute -n "__fish_repute_using_subcommand suppression; and __fish_seen_subcommand_from add" -l list -d 'For mail by this list of the account alone' -r
complete -c repute -n "__fish_repute_using_subcommand suppression; and __fish_seen_subcommand_from add" -l why -r
complete -c repute -n "__fish_repute_using_subcommand suppression; and __fish_seen_subcommand_from add" -l reason -d 'A sentence for people' -r
complete -c repute -n "__fish_repute_using_subcommand suppression; and __fish_seen_subcommand_from add" -l for -d 'For this long [default: for good]' -r
complete -c repute -n "__fish_repute_using_subcommand suppression; and __fish_seen_subcommand_from add" -s c -l config -d 'The configuration file [default: /etc/repute/repute.toml, else ./repute.toml]' -r -F
complete -c repute -n "__fish_repute_using_subcommand suppression; and __fish_seen_subcommand_from add" -l json -d 'Answer in JSON, for programs'
complete -c repute -n "__fish_repute_using_subcommand suppression; and __fish_seen_subcommand_from add" -s h -l help -d 'Print help'
complete -c repute -n "__fish_repute_using_subcommand suppression; and __fish_seen_subcommand_from release" -l domain -d 'The domain of the address' -r
complete -c repute -n "__fish_repute_using_subcommand suppression; and __fish_seen_subcommand_from release" -l account -d 'Entries of this account and its lists' -r
complete -c repute -n "__fish_repute_using_subcommand suppression; and __fish_seen_subcommand_from release" -l list -d 'Entries of this list of the account' -r
complete -c repute -n "__fish_repute_using_subcommand suppression; and __fish_seen_subcommand_from release" -l why -r
complete -c repute -n "__fish_repute_using_subcommand suppression; and __fish_seen_subcommand_from release" -l since -d 'Since this long at most: 30m, 4h, 2d' -r
complete -c repute -n "__fish_repute_using_subcommand suppression; and __fish_seen_subcommand_from release" -s c -l config -d 'The configuration file [default: /etc/repute/repute.toml, else ./repute.toml]' -r -F
complete -c repute -n "__fish_repute_using_subcommand suppression; and __fish_seen_subcommand_from release" -l all -d 'Everything'
complete -c repute -n "__fish_repute_using_subcommand suppression; and __fish_seen_subcommand_from release" -l json -d 'Answer in JSON, for programs'
complete -c repute -n "__fish_repute_using_subcommand suppression; and __fish_seen_subcommand_from release" -s h -l help -d 'Print help'
complete -c repute -n "__fish_repute_using_subcommand suppression; and __fish_seen_subcommand_from import" -l account -d 'For mail of this account alone' -r
complete -c repute -n "__fish_repute_using_subcommand suppression; and __fish_seen_subcommand_from import" -l list -d 'For mail by this list of the account alone' -r
complete -c repute -n "__fish_repute_using_subcommand suppression; and __fish_seen_subcommand_from import" -l why -r
complete -c repute -n "__fish_repute_using_subcommand suppression; and __fish_seen_subcommand_from import" -l reason -d 'A sentence for people' -r
complete -c repute -n "__fish_repute_using_subcommand suppression; and __fish_seen_subcommand_from import" -l for -d 'For this long [default: for good]' -r
complete -c repute -n "__fish_repute_using_subcommand suppression; and __fish_seen_subcommand_from import" -s c -l config -d 'The configuration file [default: /etc/repute/repute.toml, else ./repute.toml]' -r -F
complete -c repute -n "__fish_repute_using_subcommand suppression; and __fish_seen_subcommand_from import" -l json -d 'Answer in JSON, for programs'
complete -c repute -n "__fish_repute_using_subcommand suppression; and __fish_seen_subcommand_from import" -s h -l help -d 'Print help'
complete -c repute -n "__fish_repute_using_subcommand suppression; and __fish_seen_subcommand_from export" -l domain -d 'The domain of the address' -r
complete -c repute -n "__fish_repute_using_subcommand suppression; and __fish_seen_subcommand_from export" -l account -d 'Entries of this account and its lists' -r
complete -c repute -n "__fish_repute_using_subcommand suppression; and __fish_seen_subcommand_from export" -l list -d 'Entries of this list of the account' -r
complete -c repute -n "__fish_repute_using_subcommand suppression; and __fish_seen_subcommand_from export" -l why -r
complete -c repute -n "__fish_repute_using_subcommand suppression; and __fish_seen_subcommand_from export" -l since -d 'Since this long at most: 30m, 4h, 2d' -r
complete -c repute -n "__fish_repute_using_subcommand suppression; and __fish_seen_subcommand_from export" -l format -d 'The form [default: csv; with --json, json]' -r -f -a "csv\t''
json\t'A JSON object a line'"
complete -c repute -n "__fish_repute_using_subcommand suppression; and __fish_seen_subcommand_from export" -s c -l config -d 'The configuration file [default: /etc/repute/repute.toml, else ./repute.toml]' -r -F
complete -c repute -n "__fish_repute_using_subcommand suppression; and __fish_seen_subcommand_from export" -l json -d 'Answer in JSON, for programs'
complete -c repute -n "__fish_repute_using_subcommand suppression; and __fish_seen_subcommand_from export" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c repute -n "__fish_repute_using_subcommand suppression; and __fish_seen_subcommand_from help" -f -a "list" -d 'List who is not written to'
complete -c repute -n "__fish_repute_using_subcommand suppression; and __fish_seen_subcommand_from help" -f -a "show" -d 'Show an address with cause, evidence and dates'
complete -c repute -n "__fish_repute_using_subcommand suppression; and __fish_seen_subcommand_from help" -f -a "add" -d 'Write to an address no more'
complete -c repute -n "__fish_repute_using_subcommand suppression; and __fish_seen_subcommand_from help" -f -a "release" -d 'Write to addresses again'
complete -c repute -n "__fish_repute_using_subcommand suppression; and __fish_seen_subcommand_from help" -f -a "import" -d 'Add the addresses of a file: CSV with a head, a JSON object a line, or an address a line'
complete -c repute -n "__fish_repute_using_subcommand suppression; and __fish_seen_subcommand_from help" -f -a "export" -d 'Write the list to the standard output'
complete -c repute -n "__fish_repute_using_subcommand suppression; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c repute -n "__fish_repute_using_subcommand circuit; and not __fish_seen_subcommand_from list continue cancel habits expect help" -s c -l config -d 'The configuration file [default: /etc/repute/repute.toml, else ./repute.toml]' -r -F
complete -c repute -n "__fish_repute_using_subcommand circuit; and not __fish_seen_subcommand_from list continue cancel habits expect help" -l json -d 'Answer in JSON, for programs'
complete -c repute -n "__fish_repute_using_subcommand circuit; and not __fish_seen_subcommand_from list continue cancel habits expect help" -s h -l help -d 'Print help'
complete -c repute -n "__fish_repute_using_subcommand circuit; and not __fish_seen_subcommand_from list continue cancel habits expect help" -f -a "list" -d 'List what is stopped, and why'
complete -c repute -n "__fish_repute_using_subcommand circuit; and not __fish_seen_subcommand_from list continue cancel habits expect help" -f -a "continue" -d 'Let the mail of an account or campaign go on; what went wrong until now counts no more'
complete -c repute -n "__fish_repute_using_subcommand circuit; and not __fish_seen_subcommand_from list continue cancel habits expect help" -f -a "cancel" -d 'Take all waiting mail of an account or campaign out of the queue; its sender is not told'
complete -c repute -n "__fish_repute_using_subcommand circuit; and not __fish_seen_subcommand_from list continue cancel habits expect help" -f -a "habits" -d 'Show what each account is used to, and how many strangers would be too much'
complete -c repute -n "__fish_repute_using_subcommand circuit; and not __fish_seen_subcommand_from list continue cancel habits expect help" -f -a "expect" -d 'Say that much is meant to come from an account: it is not held for that, and it is its habit from then on'
complete -c repute -n "__fish_repute_using_subcommand circuit; and not __fish_seen_subcommand_from list continue cancel habits expect help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c repute -n "__fish_repute_using_subcommand circuit; and __fish_seen_subcommand_from list" -s c -l config -d 'The configuration file [default: /etc/repute/repute.toml, else ./repute.toml]' -r -F
complete -c repute -n "__fish_repute_using_subcommand circuit; and __fish_seen_subcommand_from list" -l json -d 'Answer in JSON, for programs'
complete -c repute -n "__fish_repute_using_subcommand circuit; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c repute -n "__fish_repute_using_subcommand circuit; and __fish_seen_subcommand_from continue" -s c -l config -d 'The configuration file [default: /etc/repute/repute.toml, else ./repute.toml]' -r -F
complete -c repute -n "__fish_repute_using_subcommand circuit; and __fish_seen_subcommand_from continue" -l json -d 'Answer in JSON, for programs'
complete -c repute -n "__fish_repute_using_subcommand circuit; and __fish_seen_subcommand_from continue" -s h -l help -d 'Print help'
complete -c repute -n "__fish_repute_using_subcommand circuit; and __fish_seen_subcommand_from cancel" -s c -l config -d 'The configuration file [default: /etc/repute/repute.toml, else ./repute.toml]' -r -F
complete -c repute -n "__fish_repute_using_subcommand circuit; and __fish_seen_subcommand_from cancel" -l json -d 'Answer in JSON, for programs'
complete -c repute -n "__fish_repute_using_subcommand circuit; and __fish_seen_subcommand_from cancel" -s h -l help -d 'Print help'
complete -c repute -n "__fish_repute_using_subcommand circuit; and __fish_seen_subcommand_from habits" -s c -l config -d 'The configuration file [default: /etc/repute/repute.toml, else ./repute.toml]' -r -F
complete -c repute -n "__fish_repute_using_subcommand circuit; and __fish_seen_subcommand_from habits" -l json -d 'Answer in JSON, for programs'
complete -c repute -n "__fish_repute_using_subcommand circuit; and __fish_seen_subcommand_from habits" -s h -l help -d 'Print help'
complete -c repute -n "__fish_repute_using_subcommand circuit; and __fish_seen_subcommand_from expect" -l for -d 'For how long: `12h`, `2d`; 30 days at most' -r
complete -c repute -n "__fish_repute_using_subcommand circuit; and __fish_seen_subcommand_from expect" -s c -l config -d 'The configuration file [default: /etc/repute/repute.toml, else ./repute.toml]' -r -F
complete -c repute -n "__fish_repute_using_subcommand circuit; and __fish_seen_subcommand_from expect" -l json -d 'Answer in JSON, for programs'
complete -c repute -n "__fish_repute_using_subcommand circuit; and __fish_seen_subcommand_from expect" -s h -l help -d 'Print help'
complete -c repute -n "__fish_repute_using_subcommand circuit; and __fish_seen_subcommand_from help" -f -a "list" -d 'List what is stopped, and why'
complete -c repute -n "__fish_repute_using_subcommand circuit; and __fish_seen_subcommand_from help" -f -a "continue" -d 'Let the mail of an account or campaign go on; what went wrong until now counts no more'
complete -c repute -n "__fish_repute_using_subcommand circuit; and __fish_seen_subcommand_from help" -f -a "cancel" -d 'Take all waiting mail of an account or campaign out of the queue; its sender is not told'
complete -c repute -n "__fish_repute_using_subcommand circuit; and __fish_seen_subcommand_from help" -f -a "habits" -d 'Show what each account is used to, and how many strangers would be too much'
complete -c repute -n "__fish_repute_using_subcommand circuit; and __fish_seen_subcommand_from help" -f -a "expect" -d 'Say that much is meant to come from an account: it is not held for that, and it is its habit from then on'
complete -c repute -n "__fish_repute_using_subcommand circuit; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c repute -n "__fish_repute_using_subcommand explain" -l host -d 'The host that gave it, where the text does not tell: some codes differ by receiver' -r
complete -c repute -n "__fish_repute_using_subcommand explain" -s c -l config -d 'The configuration file [default: /etc/repute/repute.toml, else ./repute.toml]' -r -F
complete -c repute -n "__fish_repute_using_subcommand explain" -l json -d 'Answer in JSON, for programs'
complete -c repute -n "__fish_repute_using_subcommand explain" -s h -l help -d 'Print help'
complete -c repute -n "__fish_repute_using_subcommand message; and not __fish_seen_subcommand_from check help" -s c -l config -d 'The configuration file [default: /etc/repute/repute.toml, else ./repute.toml]' -r -F
complete -c repute -n "__fish_repute_using_subcommand message; and not __fish_seen_subcommand_from check help" -l json -d 'Answer in JSON, for programs'
complete -c repute -n "__fish_repute_using_subcommand message; and not __fish_seen_subcommand_from check help" -s h -l help -d 'Print help'
complete -c repute -n "__fish_repute_using_subcommand message; and not __fish_seen_subcommand_from check help" -f -a "check" -d 'Judge a message before it is sent, as receivers will'
complete -c repute -n "__fish_repute_using_subcommand message; and not __fish_seen_subcommand_from check help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c repute -n "__fish_repute_using_subcommand message; and __fish_seen_subcommand_from check" -l mail-from -d 'The envelope\'s sender, against which SPF and DMARC are judged; empty is that of a bounce' -r
complete -c repute -n "__fish_repute_using_subcommand message; and __fish_seen_subcommand_from check" -l ip -d 'The address it leaves from: names, black lists and SPF are judged too' -r
complete -c repute -n "__fish_repute_using_subcommand message; and __fish_seen_subcommand_from check" -l helo -d 'The name said in EHLO from there' -r
complete -c repute -n "__fish_repute_using_subcommand message; and __fish_seen_subcommand_from check" -l to -d 'What this receiver does with it: gmail, outlook, yahoo, icloud, gmx, t-online, plain' -r
complete -c repute -n "__fish_repute_using_subcommand message; and __fish_seen_subcommand_from check" -l only -d 'Only these checks, by id or group: `msg`, `dkim.headers`; several with commas' -r
complete -c repute -n "__fish_repute_using_subcommand message; and __fish_seen_subcommand_from check" -l deadline -d 'Say what is not known after so many seconds' -r
complete -c repute -n "__fish_repute_using_subcommand message; and __fish_seen_subcommand_from check" -s c -l config -d 'The configuration file [default: /etc/repute/repute.toml, else ./repute.toml]' -r -F
complete -c repute -n "__fish_repute_using_subcommand message; and __fish_seen_subcommand_from check" -l bulk -d 'It goes to many: the rules for bulk mail hold'
complete -c repute -n "__fish_repute_using_subcommand message; and __fish_seen_subcommand_from check" -l as-sent -d 'Judge what Repute would send: made whole, signed, from the first egress'
complete -c repute -n "__fish_repute_using_subcommand message; and __fish_seen_subcommand_from check" -l post -d 'Try the unsubscribe link, too'
complete -c repute -n "__fish_repute_using_subcommand message; and __fish_seen_subcommand_from check" -l offline -d 'Ask no DNS: what needs it is unknown'
complete -c repute -n "__fish_repute_using_subcommand message; and __fish_seen_subcommand_from check" -s v -l verbose -d 'Show what passes too'
complete -c repute -n "__fish_repute_using_subcommand message; and __fish_seen_subcommand_from check" -l json -d 'Answer in JSON, for programs'
complete -c repute -n "__fish_repute_using_subcommand message; and __fish_seen_subcommand_from check" -s h -l help -d 'Print help'
complete -c repute -n "__fish_repute_using_subcommand message; and __fish_seen_subcommand_from help" -f -a "check" -d 'Judge a message before it is sent, as receivers will'
complete -c repute -n "__fish_repute_using_subcommand message; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c repute -n "__fish_repute_using_subcommand reports; and not __fish_seen_subcommand_from list show sources read help" -s c -l config -d 'The configuration file [default: /etc/repute/repute.toml, else ./repute.toml]' -r -F
complete -c repute -n "__fish_repute_using_subcommand reports; and not __fish_seen_subcommand_from list show sources read help" -l json -d 'Answer in JSON, for programs'
complete -c repute -n "__fish_repute_using_subcommand reports; and not __fish_seen_subcommand_from list show sources read help" -s h -l help -d 'Print help'
complete -c repute -n "__fish_repute_using_subcommand reports; and not __fish_seen_subcommand_from list show sources read help" -f -a "list" -d 'The reports that came, newest first'
complete -c repute -n "__fish_repute_using_subcommand reports; and not __fish_seen_subcommand_from list show sources read help" -f -a "show" -d 'One report with all it says'
complete -c repute -n "__fish_repute_using_subcommand reports; and not __fish_seen_subcommand_from list show sources read help" -f -a "sources" -d 'Who sends in our name, what passes, and how that changed'
complete -c repute -n "__fish_repute_using_subcommand reports; and not __fish_seen_subcommand_from list show sources read help" -f -a "read" -d 'Say what a file is: a report, packed or not, or a message that came back'
complete -c repute -n "__fish_repute_using_subcommand reports; and not __fish_seen_subcommand_from list show sources read help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c repute -n "__fish_repute_using_subcommand reports; and __fish_seen_subcommand_from list" -l domain -d 'Only about this domain' -r
complete -c repute -n "__fish_repute_using_subcommand reports; and __fish_seen_subcommand_from list" -l limit -d 'At most so many' -r
complete -c repute -n "__fish_repute_using_subcommand reports; and __fish_seen_subcommand_from list" -s c -l config -d 'The configuration file [default: /etc/repute/repute.toml, else ./repute.toml]' -r -F
complete -c repute -n "__fish_repute_using_subcommand reports; and __fish_seen_subcommand_from list" -l json -d 'Answer in JSON, for programs'
complete -c repute -n "__fish_repute_using_subcommand reports; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c repute -n "__fish_repute_using_subcommand reports; and __fish_seen_subcommand_from show" -s c -l config -d 'The configuration file [default: /etc/repute/repute.toml, else ./repute.toml]' -r -F
complete -c repute -n "__fish_repute_using_subcommand reports; and __fish_seen_subcommand_from show" -l json -d 'Answer in JSON, for programs'
complete -c repute -n "__fish_repute_using_subcommand reports; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help'
complete -c repute -n "__fish_repute_using_subcommand reports; and __fish_seen_subcommand_from sources" -l domain -d 'Only mail of this domain' -r
complete -c repute -n "__fish_repute_using_subcommand reports; and __fish_seen_subcommand_from sources" -l days -d 'What came in so many days, compared with as many before them' -r
complete -c repute -n "__fish_repute_using_subcommand reports; and __fish_seen_subcommand_from sources" -s c -l config -d 'The configuration file [default: /etc/repute/repute.toml, else ./repute.toml]' -r -F
complete -c repute -n "__fish_repute_using_subcommand reports; and __fish_seen_subcommand_from sources" -l json -d 'Answer in JSON, for programs'
complete -c repute -n "__fish_repute_using_subcommand reports; and __fish_seen_subcommand_from sources" -s h -l help -d 'Print help'
complete -c repute -n "__fish_repute_using_subcommand reports; and __fish_seen_subcommand_from read" -s c -l config -d 'The configuration file [default: /etc/repute/repute.toml, else ./repute.toml]' -r -F
complete -c repute -n "__fish_repute_using_subcommand reports; and __fish_seen_subcommand_from read" -l json -d 'Answer in JSON, for programs'
complete -c repute -n "__fish_repute_using_subcommand reports; and __fish_seen_subcommand_from read" -s h -l help -d 'Print help'
complete -c repute -n "__fish_repute_using_subcommand reports; and __fish_seen_subcommand_from help" -f -a "list" -d 'The reports that came, newest first'
complete -c repute -n "__fish_repute_using_subcommand reports; and __fish_seen_subcommand_from help" -f -a "show" -d 'One report with all it says'
complete -c repute -n "__fish_repute_using_subcommand reports; and __fish_seen_subcommand_from help" -f -a "sources" -d 'Who sends in our name, what passes, and how that changed'
complete -c repute -n "__fish_repute_using_subcommand reports; and __fish_seen_subcommand_from help" -f -a "read" -d 'Say what a file is: a report, packed or not, or a message that came back'
complete -c repute -n "__fish_repute_using_subcommand reports; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c repute -n "__fish_repute_using_subcommand tls" -l limit -d 'At most so many lines' -r
complete -c repute -n "__fish_repute_using_subcommand tls" -s c -l config -d 'The configuration file [default: /etc/repute/repute.toml, else ./repute.toml]' -r -F
complete -c repute -n "__fish_repute_using_subcommand tls" -l yesterday -d 'Those of yesterday (UTC), until they are reported'
complete -c repute -n "__fish_repute_using_subcommand tls" -l json -d 'Answer in JSON, for programs'
complete -c repute -n "__fish_repute_using_subcommand tls" -s h -l help -d 'Print help'
complete -c repute -n "__fish_repute_using_subcommand permit; and not __fish_seen_subcommand_from list show allow suspend reset check help" -s c -l config -d 'The configuration file [default: /etc/repute/repute.toml, else ./repute.toml]' -r -F
complete -c repute -n "__fish_repute_using_subcommand permit; and not __fish_seen_subcommand_from list show allow suspend reset check help" -l json -d 'Answer in JSON, for programs'
complete -c repute -n "__fish_repute_using_subcommand permit; and not __fish_seen_subcommand_from list show allow suspend reset check help" -s h -l help -d 'Print help'
complete -c repute -n "__fish_repute_using_subcommand permit; and not __fish_seen_subcommand_from list show allow suspend reset check help" -f -a "list" -d 'List every permit: each address with each domain (the default)'
complete -c repute -n "__fish_repute_using_subcommand permit; and not __fish_seen_subcommand_from list show allow suspend reset check help" -f -a "show" -d 'Show the permits of one domain or address, with the evidence and what to do'
complete -c repute -n "__fish_repute_using_subcommand permit; and not __fish_seen_subcommand_from list show allow suspend reset check help" -f -a "allow" -d 'Let mail leave although a check fails, for a time'
complete -c repute -n "__fish_repute_using_subcommand permit; and not __fish_seen_subcommand_from list show allow suspend reset check help" -f -a "suspend" -d 'Keep mail from leaving although all is well, for a time'
complete -c repute -n "__fish_repute_using_subcommand permit; and not __fish_seen_subcommand_from list show allow suspend reset check help" -f -a "reset" -d 'Take back what was said by `allow` or `suspend`'
complete -c repute -n "__fish_repute_using_subcommand permit; and not __fish_seen_subcommand_from list show allow suspend reset check help" -f -a "check" -d 'Look again now instead of at the next time'
complete -c repute -n "__fish_repute_using_subcommand permit; and not __fish_seen_subcommand_from list show allow suspend reset check help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c repute -n "__fish_repute_using_subcommand permit; and __fish_seen_subcommand_from list" -s c -l config -d 'The configuration file [default: /etc/repute/repute.toml, else ./repute.toml]' -r -F
complete -c repute -n "__fish_repute_using_subcommand permit; and __fish_seen_subcommand_from list" -l json -d 'Answer in JSON, for programs'
complete -c repute -n "__fish_repute_using_subcommand permit; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c repute -n "__fish_repute_using_subcommand permit; and __fish_seen_subcommand_from show" -s c -l config -d 'The configuration file [default: /etc/repute/repute.toml, else ./repute.toml]' -r -F
complete -c repute -n "__fish_repute_using_subcommand permit; and __fish_seen_subcommand_from show" -l json -d 'Answer in JSON, for programs'
complete -c repute -n "__fish_repute_using_subcommand permit; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help'
complete -c repute -n "__fish_repute_using_subcommand permit; and __fish_seen_subcommand_from allow" -l for -d 'For how long: `30m`, `2h`, `3d`; 30 days at most' -r
complete -c repute -n "__fish_repute_using_subcommand permit; and __fish_seen_subcommand_from allow" -l reason -d 'Why; it is kept with your name' -r
complete -c repute -n "__fish_repute_using_subcommand permit; and __fish_seen_subcommand_from allow" -s c -l config -d 'The configuration file [default: /etc/repute/repute.toml, else ./repute.toml]' -r -F
complete -c repute -n "__fish_repute_using_subcommand permit; and __fish_seen_subcommand_from allow" -l json -d 'Answer in JSON, for programs'
complete -c repute -n "__fish_repute_using_subcommand permit; and __fish_seen_subcommand_from allow" -s h -l help -d 'Print help'
complete -c repute -n "__fish_repute_using_subcommand permit; and __fish_seen_subcommand_from suspend" -l for -d 'For how long: `30m`, `2h`, `3d`; 30 days at most' -r
complete -c repute -n "__fish_repute_using_subcommand permit; and __fish_seen_subcommand_from suspend" -l reason -d 'Why; it is kept with your name' -r
complete -c repute -n "__fish_repute_using_subcommand permit; and __fish_seen_subcommand_from suspend" -s c -l config -d 'The configuration file [default: /etc/repute/repute.toml, else ./repute.toml]' -r -F
complete -c repute -n "__fish_repute_using_subcommand permit; and __fish_seen_subcommand_from suspend" -l json -d 'Answer in JSON, for programs'
complete -c repute -n "__fish_repute_using_subcommand permit; and __fish_seen_subcommand_from suspend" -s h -l help -d 'Print help'
complete -c repute -n "__fish_repute_using_subcommand permit; and __fish_seen_subcommand_from reset" -s c -l config -d 'The configuration file [default: /etc/repute/repute.toml, else ./repute.toml]' -r -F
complete -c repute -n "__fish_repute_using_subcommand permit; and __fish_seen_subcommand_from reset" -l json -d 'Answer in JSON, for programs'
complete -c repute -n "__fish_repute_using_subcommand permit; and __fish_seen_subcommand_from reset" -s h -l help -d 'Print help'
complete -c repute -n "__fish_repute_using_subcommand permit; and __fish_seen_subcommand_from check" -s c -l config -d 'The configuration file [default: /etc/repute/repute.toml, else ./repute.toml]' -r -F
complete -c repute -n "__fish_repute_using_subcommand permit; and __fish_seen_subcommand_from check" -l json -d 'Answer in JSON, for programs'
complete -c repute -n "__fish_repute_using_subcommand permit; and __fish_seen_subcommand_from check" -s h -l help -d 'Print help'
complete -c repute -n "__fish_repute_using_subcommand permit; and __fish_seen_subcommand_from help" -f -a "list" -d 'List every permit: each address with each domain (the default)'
complete -c repute -n "__fish_repute_using_subcommand permit; and __fish_seen_subcommand_from help" -f -a "show" -d 'Show the permits of one domain or address, with the evidence and what to do'
complete -c repute -n "__fish_repute_using_subcommand permit; and __fish_seen_subcommand_from help" -f -a "allow" -d 'Let mail leave although a check fails, for a time'
complete -c repute -n "__fish_repute_using_subcommand permit; and __fish_seen_subcommand_from help" -f -a "suspend" -d 'Keep mail from leaving although all is well, for a time'
complete -c repute -n "__fish_repute_using_subcommand permit; and __fish_seen_subcommand_from help" -f -a "reset" -d 'Take back what was said by `allow` or `suspend`'
complete -c repute -n "__fish_repute_using_subcommand permit; and __fish_seen_subcommand_from help" -f -a "check" -d 'Look again now instead of at the next time'
complete -c repute -n "__fish_repute_using_subcommand permit; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c repute -n "__fish_repute_using_subcommand incidents" -l limit -d 'At most so many closed ones' -r
complete -c repute -n "__fish_repute_using_subcommand incidents" -s c -l config -d 'The configuration file [default: /etc/repute/repute.toml, else ./repute.toml]' -r -F
complete -c repute -n "__fish_repute_using_subcommand incidents" -l all -d 'The closed ones too'
complete -c repute -n "__fish_repute_using_subcommand incidents" -l json -d 'Answer in JSON, for programs'
complete -c repute -n "__fish_repute_using_subcommand incidents" -s h -l help -d 'Print help'
complete -c repute -n "__fish_repute_using_subcommand trust" -l since -d 'How far back: `12h`, `30d`' -r
complete -c repute -n "__fish_repute_using_subcommand trust" -l limit -d 'At most so many changes' -r
complete -c repute -n "__fish_repute_using_subcommand trust" -s c -l config -d 'The configuration file [default: /etc/repute/repute.toml, else ./repute.toml]' -r -F
complete -c repute -n "__fish_repute_using_subcommand trust" -l scores -d 'The points of each address and domain over time, instead of the changes'
complete -c repute -n "__fish_repute_using_subcommand trust" -l json -d 'Answer in JSON, for programs'
complete -c repute -n "__fish_repute_using_subcommand trust" -s h -l help -d 'Print help'
complete -c repute -n "__fish_repute_using_subcommand events" -l since -d 'After an event (its id), since a time (2026-11-24T08:00:00Z), or of the last 2h' -r
complete -c repute -n "__fish_repute_using_subcommand events" -l account -d 'Only of this account' -r
complete -c repute -n "__fish_repute_using_subcommand events" -l type -d 'Only of these types; may be repeated' -r
complete -c repute -n "__fish_repute_using_subcommand events" -l limit -d 'Without --follow: the last so many; all where --since is given, else 100' -r
complete -c repute -n "__fish_repute_using_subcommand events" -s c -l config -d 'The configuration file [default: /etc/repute/repute.toml, else ./repute.toml]' -r -F
complete -c repute -n "__fish_repute_using_subcommand events" -s f -l follow -d 'Go on with what comes'
complete -c repute -n "__fish_repute_using_subcommand events" -l json -d 'Answer in JSON, for programs'
complete -c repute -n "__fish_repute_using_subcommand events" -s h -l help -d 'Print help'
complete -c repute -n "__fish_repute_using_subcommand webhook; and not __fish_seen_subcommand_from list show test redeliver pause resume secret help" -s c -l config -d 'The configuration file [default: /etc/repute/repute.toml, else ./repute.toml]' -r -F
complete -c repute -n "__fish_repute_using_subcommand webhook; and not __fish_seen_subcommand_from list show test redeliver pause resume secret help" -l json -d 'Answer in JSON, for programs'
complete -c repute -n "__fish_repute_using_subcommand webhook; and not __fish_seen_subcommand_from list show test redeliver pause resume secret help" -s h -l help -d 'Print help'
complete -c repute -n "__fish_repute_using_subcommand webhook; and not __fish_seen_subcommand_from list show test redeliver pause resume secret help" -f -a "list" -d 'List the webhooks: state, what waits, what was taken'
complete -c repute -n "__fish_repute_using_subcommand webhook; and not __fish_seen_subcommand_from list show test redeliver pause resume secret help" -f -a "show" -d 'Show one webhook in full'
complete -c repute -n "__fish_repute_using_subcommand webhook; and not __fish_seen_subcommand_from list show test redeliver pause resume secret help" -f -a "test" -d 'Post a test event now, and say what came of it'
complete -c repute -n "__fish_repute_using_subcommand webhook; and not __fish_seen_subcommand_from list show test redeliver pause resume secret help" -f -a "redeliver" -d 'Send events again that were sent before, under the ids that they had'
complete -c repute -n "__fish_repute_using_subcommand webhook; and not __fish_seen_subcommand_from list show test redeliver pause resume secret help" -f -a "pause" -d 'Send nothing until it is resumed; events are kept meanwhile'
complete -c repute -n "__fish_repute_using_subcommand webhook; and not __fish_seen_subcommand_from list show test redeliver pause resume secret help" -f -a "resume" -d 'Go on, also after the webhook was disabled by itself'
complete -c repute -n "__fish_repute_using_subcommand webhook; and not __fish_seen_subcommand_from list show test redeliver pause resume secret help" -f -a "secret" -d 'Print a new secret, for the configuration and for the receiver'
complete -c repute -n "__fish_repute_using_subcommand webhook; and not __fish_seen_subcommand_from list show test redeliver pause resume secret help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c repute -n "__fish_repute_using_subcommand webhook; and __fish_seen_subcommand_from list" -s c -l config -d 'The configuration file [default: /etc/repute/repute.toml, else ./repute.toml]' -r -F
complete -c repute -n "__fish_repute_using_subcommand webhook; and __fish_seen_subcommand_from list" -l json -d 'Answer in JSON, for programs'
complete -c repute -n "__fish_repute_using_subcommand webhook; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c repute -n "__fish_repute_using_subcommand webhook; and __fish_seen_subcommand_from show" -s c -l config -d 'The configuration file [default: /etc/repute/repute.toml, else ./repute.toml]' -r -F
complete -c repute -n "__fish_repute_using_subcommand webhook; and __fish_seen_subcommand_from show" -l json -d 'Answer in JSON, for programs'
complete -c repute -n "__fish_repute_using_subcommand webhook; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help'
complete -c repute -n "__fish_repute_using_subcommand webhook; and __fish_seen_subcommand_from test" -s c -l config -d 'The configuration file [default: /etc/repute/repute.toml, else ./repute.toml]' -r -F
complete -c repute -n "__fish_repute_using_subcommand webhook; and __fish_seen_subcommand_from test" -l json -d 'Answer in JSON, for programs'
complete -c repute -n "__fish_repute_using_subcommand webhook; and __fish_seen_subcommand_from test" -s h -l help -d 'Print help'
complete -c repute -n "__fish_repute_using_subcommand webhook; and __fish_seen_subcommand_from redeliver" -l message -d 'All events of a message' -r
complete -c repute -n "__fish_repute_using_subcommand webhook; and __fish_seen_subcommand_from redeliver" -l since -d 'All events since a time (2026-11-24T08:00:00Z), or of the last 2h' -r
complete -c repute -n "__fish_repute_using_subcommand webhook; and __fish_seen_subcommand_from redeliver" -l until -d 'With --since: until a time, not included' -r
complete -c repute -n "__fish_repute_using_subcommand webhook; and __fish_seen_subcommand_from redeliver" -s c -l config -d 'The configuration file [default: /etc/repute/repute.toml, else ./repute.toml]' -r -F
complete -c repute -n "__fish_repute_using_subcommand webhook; and __fish_seen_subcommand_from redeliver" -l json -d 'Answer in JSON, for programs'
complete -c repute -n "__fish_repute_using_subcommand webhook; and __fish_seen_subcommand_from redeliver" -s h -l help -d 'Print help'
complete -c repute -n "__fish_repute_using_subcommand webhook; and __fish_seen_subcommand_from pause" -s c -l config -d 'The configuration file [default: /etc/repute/repute.toml, else ./repute.toml]' -r -F
complete -c repute -n "__fish_repute_using_subcommand webhook; and __fish_seen_subcommand_from pause" -l json -d 'Answer in JSON, for programs'
complete -c repute -n "__fish_repute_using_subcommand webhook; and __fish_seen_subcommand_from pause" -s h -l help -d 'Print help'
complete -c repute -n "__fish_repute_using_subcommand webhook; and __fish_seen_subcommand_from resume" -s c -l config -d 'The configuration file [default: /etc/repute/repute.toml, else ./repute.toml]' -r -F
complete -c repute -n "__fish_repute_using_subcommand webhook; and __fish_seen_subcommand_from resume" -l json -d 'Answer in JSON, for programs'
complete -c repute -n "__fish_repute_using_subcommand webhook; and __fish_seen_subcommand_from resume" -s h -l help -d 'Print help'
complete -c repute -n "__fish_repute_using_subcommand webhook; and __fish_seen_subcommand_from secret" -s c -l config -d 'The configuration file [default: /etc/repute/repute.toml, else ./repute.toml]' -r -F
complete -c repute -n "__fish_repute_using_subcommand webhook; and __fish_seen_subcommand_from secret" -l json -d 'Answer in JSON, for programs'
complete -c repute -n "__fish_repute_using_subcommand webhook; and __fish_seen_subcommand_from secret" -s h -l help -d 'Print help'
complete -c repute -n "__fish_repute_using_subcommand webhook; and __fish_seen_subcommand_from help" -f -a "list" -d 'List the webhooks: state, what waits, what was taken'
complete -c repute -n "__fish_repute_using_subcommand webhook; and __fish_seen_subcommand_from help" -f -a "show" -d 'Show one webhook in full'
complete -c repute -n "__fish_repute_using_subcommand webhook; and __fish_seen_subcommand_from help" -f -a "test" -d 'Post a test event now, and say what came of it'
complete -c repute -n "__fish_repute_using_subcommand webhook; and __fish_seen_subcommand_from help" -f -a "redeliver" -d 'Send events again that were sent before, under the ids that they had'
complete -c repute -n "__fish_repute_using_subcommand webhook; and __fish_seen_subcommand_from help" -f -a "pause" -d 'Send nothing until it is resumed; events are kept meanwhile'
complete -c repute -n "__fish_repute_using_subcommand webhook; and __fish_seen_subcommand_from help" -f -a "resume" -d 'Go on, also after the webhook was disabled by itself'
complete -c repute -n "__fish_repute_using_subcommand webhook; and __fish_seen_subcommand_from help" -f -a "secret" -d 'Print a new secret, for the configuration and for the receiver'
complete -c repute -n "__fish_repute_using_subcommand webhook; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c repute -n "__fish_repute_using_subcommand mirror" -l listen -d 'Where it takes mail' -r
complete -c repute -n "__fish_repute_using_subcommand mirror" -l host -d 'The name that it says' -r
complete -c repute -n "__fish_repute_using_subcommand mirror" -l resolver -d 'The name server to ask [default: that of the configuration, else of the machine]' -r
complete -c repute -n "__fish_repute_using_subcommand mirror" -l folder -d 'Write each message and its report to this folder, too' -r -F
complete -c repute -n "__fish_repute_using_subcommand mirror" -l count -d 'End after so many messages' -r
complete -c repute -n "__fish_repute_using_subcommand mirror" -s c -l config -d 'The configuration file [default: /etc/repute/repute.toml, else ./repute.toml]' -r -F
complete -c repute -n "__fish_repute_using_subcommand mirror" -l bulk -d 'Judge every message by the rules for those who send to many'
complete -c repute -n "__fish_repute_using_subcommand mirror" -l no-lists -d 'Ask no black lists'
complete -c repute -n "__fish_repute_using_subcommand mirror" -l reply-report -d 'Say in short what was seen in the reply to the last dot'
complete -c repute -n "__fish_repute_using_subcommand mirror" -s v -l verbose -d 'Show what passes too'
complete -c repute -n "__fish_repute_using_subcommand mirror" -l json -d 'Answer in JSON, for programs'
complete -c repute -n "__fish_repute_using_subcommand mirror" -s h -l help -d 'Print help'
complete -c repute -n "__fish_repute_using_subcommand status" -s c -l config -d 'The configuration file [default: /etc/repute/repute.toml, else ./repute.toml]' -r -F
complete -c repute -n "__fish_repute_using_subcommand status" -l json -d 'Answer in JSON, for programs'
complete -c repute -n "__fish_repute_using_subcommand status" -s h -l help -d 'Print help'
complete -c repute -n "__fish_repute_using_subcommand send" -l from -d 'The sender' -r
complete -c repute -n "__fish_repute_using_subcommand send" -l to -d 'A recipient; may be given several times' -r
complete -c repute -n "__fish_repute_using_subcommand send" -l subject -r
complete -c repute -n "__fish_repute_using_subcommand send" -l text -d 'The text of the message' -r
complete -c repute -n "__fish_repute_using_subcommand send" -l html -d 'The message as HTML; with --text too it carries both' -r
complete -c repute -n "__fish_repute_using_subcommand send" -l header -d 'A further header field: "Name: value"; may be given several times' -r
complete -c repute -n "__fish_repute_using_subcommand send" -l server -d 'The server, as host:port or [address]:port' -r
complete -c repute -n "__fish_repute_using_subcommand send" -l tls -d 'How TLS is used' -r -f -a "auto\t'Implicit on port 465, else STARTTLS where it is offered'
implicit\t'From the first octet'
starttls\t'STARTTLS, or nothing is sent'
none\t''"
complete -c repute -n "__fish_repute_using_subcommand send" -l ca -d 'Trust the certificates of this PEM file, and no others' -r -F
complete -c repute -n "__fish_repute_using_subcommand send" -l user -d 'The name to log in with' -r
complete -c repute -n "__fish_repute_using_subcommand send" -l password-file -d 'A file whose first line is the password' -r -F
complete -c repute -n "__fish_repute_using_subcommand send" -l ehlo -d 'The name said in EHLO' -r
complete -c repute -n "__fish_repute_using_subcommand send" -s c -l config -d 'The configuration file [default: /etc/repute/repute.toml, else ./repute.toml]' -r -F
complete -c repute -n "__fish_repute_using_subcommand send" -l insecure -d 'Take any certificate'
complete -c repute -n "__fish_repute_using_subcommand send" -l json -d 'Answer in JSON, for programs'
complete -c repute -n "__fish_repute_using_subcommand send" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c repute -n "__fish_repute_using_subcommand sendmail" -s c -l config -d 'The configuration file [default: /etc/repute/repute.toml, else ./repute.toml]' -r -F
complete -c repute -n "__fish_repute_using_subcommand sendmail" -l json -d 'Answer in JSON, for programs'
complete -c repute -n "__fish_repute_using_subcommand config; and not __fish_seen_subcommand_from check show help" -s c -l config -d 'The configuration file [default: /etc/repute/repute.toml, else ./repute.toml]' -r -F
complete -c repute -n "__fish_repute_using_subcommand config; and not __fish_seen_subcommand_from check show help" -l json -d 'Answer in JSON, for programs'
complete -c repute -n "__fish_repute_using_subcommand config; and not __fish_seen_subcommand_from check show help" -s h -l help -d 'Print help'
complete -c repute -n "__fish_repute_using_subcommand config; and not __fish_seen_subcommand_from check show help" -f -a "check" -d 'Say what is wrong with the configuration: file, line, column, what, cure'
complete -c repute -n "__fish_repute_using_subcommand config; and not __fish_seen_subcommand_from check show help" -f -a "show" -d 'Print every value, defaults too, secrets masked'
complete -c repute -n "__fish_repute_using_subcommand config; and not __fish_seen_subcommand_from check show help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c repute -n "__fish_repute_using_subcommand config; and __fish_seen_subcommand_from check" -s c -l config -d 'The configuration file [default: /etc/repute/repute.toml, else ./repute.toml]' -r -F
complete -c repute -n "__fish_repute_using_subcommand config; and __fish_seen_subcommand_from check" -l json -d 'Answer in JSON, for programs'
complete -c repute -n "__fish_repute_using_subcommand config; and __fish_seen_subcommand_from check" -s h -l help -d 'Print help'
complete -c repute -n "__fish_repute_using_subcommand config; and __fish_seen_subcommand_from show" -s c -l config -d 'The configuration file [default: /etc/repute/repute.toml, else ./repute.toml]' -r -F
complete -c repute -n "__fish_repute_using_subcommand config; and __fish_seen_subcommand_from show" -l json -d 'Answer in JSON, for programs'
complete -c repute -n "__fish_repute_using_subcommand config; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help'
complete -c repute -n "__fish_repute_using_subcommand config; and __fish_seen_subcommand_from help" -f -a "check" -d 'Say what is wrong with the configuration: file, line, column, what, cure'
complete -c repute -n "__fish_repute_using_subcommand config; and __fish_seen_subcommand_from help" -f -a "show" -d 'Print every value, defaults too, secrets masked'
complete -c repute -n "__fish_repute_using_subcommand config; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c repute -n "__fish_repute_using_subcommand man" -s c -l config -d 'The configuration file [default: /etc/repute/repute.toml, else ./repute.toml]' -r -F
complete -c repute -n "__fish_repute_using_subcommand man" -l check -d 'Write nothing; exit code 1 if a file differs from what would be written'
complete -c repute -n "__fish_repute_using_subcommand man" -l json -d 'Answer in JSON, for programs'
complete -c repute -n "__fish_repute_using_subcommand man" -s h -l help -d 'Print help'
complete -c repute -n "__fish_repute_using_subcommand help; and not __fish_seen_subcommand_from setup records check serve demo account token domain queue bulk why suppression circuit explain message reports tls permit incidents trust events webhook mirror status send sendmail config man help" -f -a "setup" -d 'Set up from nothing: configuration, keys, DNS records'
complete -c repute -n "__fish_repute_using_subcommand help; and not __fish_seen_subcommand_from setup records check serve demo account token domain queue bulk why suppression circuit explain message reports tls permit incidents trust events webhook mirror status send sendmail config man help" -f -a "records" -d 'Print the DNS records to publish, or how those that are there differ'
complete -c repute -n "__fish_repute_using_subcommand help; and not __fish_seen_subcommand_from setup records check serve demo account token domain queue bulk why suppression circuit explain message reports tls permit incidents trust events webhook mirror status send sendmail config man help" -f -a "check" -d 'Check whether receivers will trust this server: DNS, black lists, SPF, keys'
complete -c repute -n "__fish_repute_using_subcommand help; and not __fish_seen_subcommand_from setup records check serve demo account token domain queue bulk why suppression circuit explain message reports tls permit incidents trust events webhook mirror status send sendmail config man help" -f -a "serve" -d 'Run the server'
complete -c repute -n "__fish_repute_using_subcommand help; and not __fish_seen_subcommand_from setup records check serve demo account token domain queue bulk why suppression circuit explain message reports tls permit incidents trust events webhook mirror status send sendmail config man help" -f -a "demo" -d 'Try everything on loopback: a playground with receivers, and 200 real messages'
complete -c repute -n "__fish_repute_using_subcommand help; and not __fish_seen_subcommand_from setup records check serve demo account token domain queue bulk why suppression circuit explain message reports tls permit incidents trust events webhook mirror status send sendmail config man help" -f -a "account" -d 'Make accounts for applications'
complete -c repute -n "__fish_repute_using_subcommand help; and not __fish_seen_subcommand_from setup records check serve demo account token domain queue bulk why suppression circuit explain message reports tls permit incidents trust events webhook mirror status send sendmail config man help" -f -a "token" -d 'Make tokens for the HTTP API'
complete -c repute -n "__fish_repute_using_subcommand help; and not __fish_seen_subcommand_from setup records check serve demo account token domain queue bulk why suppression circuit explain message reports tls permit incidents trust events webhook mirror status send sendmail config man help" -f -a "domain" -d 'Set up domains to send as: keys and DNS records'
complete -c repute -n "__fish_repute_using_subcommand help; and not __fish_seen_subcommand_from setup records check serve demo account token domain queue bulk why suppression circuit explain message reports tls permit incidents trust events webhook mirror status send sendmail config man help" -f -a "queue" -d 'List, hold, release, retry and cancel what waits'
complete -c repute -n "__fish_repute_using_subcommand help; and not __fish_seen_subcommand_from setup records check serve demo account token domain queue bulk why suppression circuit explain message reports tls permit incidents trust events webhook mirror status send sendmail config man help" -f -a "bulk" -d 'Send one letter to a list, and look after campaigns'
complete -c repute -n "__fish_repute_using_subcommand help; and not __fish_seen_subcommand_from setup records check serve demo account token domain queue bulk why suppression circuit explain message reports tls permit incidents trust events webhook mirror status send sendmail config man help" -f -a "why" -d 'Tell what became of a message, or of mail to an address'
complete -c repute -n "__fish_repute_using_subcommand help; and not __fish_seen_subcommand_from setup records check serve demo account token domain queue bulk why suppression circuit explain message reports tls permit incidents trust events webhook mirror status send sendmail config man help" -f -a "suppression" -d 'List, add and release addresses that are not written to'
complete -c repute -n "__fish_repute_using_subcommand help; and not __fish_seen_subcommand_from setup records check serve demo account token domain queue bulk why suppression circuit explain message reports tls permit incidents trust events webhook mirror status send sendmail config man help" -f -a "circuit" -d 'List, continue and cancel accounts and campaigns that were stopped'
complete -c repute -n "__fish_repute_using_subcommand help; and not __fish_seen_subcommand_from setup records check serve demo account token domain queue bulk why suppression circuit explain message reports tls permit incidents trust events webhook mirror status send sendmail config man help" -f -a "explain" -d 'Tell what a receiver\'s reply means, whose fault it is, and what to do'
complete -c repute -n "__fish_repute_using_subcommand help; and not __fish_seen_subcommand_from setup records check serve demo account token domain queue bulk why suppression circuit explain message reports tls permit incidents trust events webhook mirror status send sendmail config man help" -f -a "message" -d 'Judge a message before it is sent'
complete -c repute -n "__fish_repute_using_subcommand help; and not __fish_seen_subcommand_from setup records check serve demo account token domain queue bulk why suppression circuit explain message reports tls permit incidents trust events webhook mirror status send sendmail config man help" -f -a "reports" -d 'What receivers report about mail in our name, and what a report or notice says'
complete -c repute -n "__fish_repute_using_subcommand help; and not __fish_seen_subcommand_from setup records check serve demo account token domain queue bulk why suppression circuit explain message reports tls permit incidents trust events webhook mirror status send sendmail config man help" -f -a "tls" -d 'Show how TLS with receivers went today, as their domains are told of it'
complete -c repute -n "__fish_repute_using_subcommand help; and not __fish_seen_subcommand_from setup records check serve demo account token domain queue bulk why suppression circuit explain message reports tls permit incidents trust events webhook mirror status send sendmail config man help" -f -a "permit" -d 'Show which mail may leave from where, and say so for a time'
complete -c repute -n "__fish_repute_using_subcommand help; and not __fish_seen_subcommand_from setup records check serve demo account token domain queue bulk why suppression circuit explain message reports tls permit incidents trust events webhook mirror status send sendmail config man help" -f -a "incidents" -d 'List what is broken now, and what was'
complete -c repute -n "__fish_repute_using_subcommand help; and not __fish_seen_subcommand_from setup records check serve demo account token domain queue bulk why suppression circuit explain message reports tls permit incidents trust events webhook mirror status send sendmail config man help" -f -a "trust" -d 'Tell how trust changed over time'
complete -c repute -n "__fish_repute_using_subcommand help; and not __fish_seen_subcommand_from setup records check serve demo account token domain queue bulk why suppression circuit explain message reports tls permit incidents trust events webhook mirror status send sendmail config man help" -f -a "events" -d 'Tell what becomes of messages, as it happens'
complete -c repute -n "__fish_repute_using_subcommand help; and not __fish_seen_subcommand_from setup records check serve demo account token domain queue bulk why suppression circuit explain message reports tls permit incidents trust events webhook mirror status send sendmail config man help" -f -a "webhook" -d 'Look after the programs that are told by HTTP what happens'
complete -c repute -n "__fish_repute_using_subcommand help; and not __fish_seen_subcommand_from setup records check serve demo account token domain queue bulk why suppression circuit explain message reports tls permit incidents trust events webhook mirror status send sendmail config man help" -f -a "mirror" -d 'Take messages as a receiver would, and say all that one sees of them'
complete -c repute -n "__fish_repute_using_subcommand help; and not __fish_seen_subcommand_from setup records check serve demo account token domain queue bulk why suppression circuit explain message reports tls permit incidents trust events webhook mirror status send sendmail config man help" -f -a "status" -d 'Show what the server is doing'
complete -c repute -n "__fish_repute_using_subcommand help; and not __fish_seen_subcommand_from setup records check serve demo account token domain queue bulk why suppression circuit explain message reports tls permit incidents trust events webhook mirror status send sendmail config man help" -f -a "send" -d 'Send one message and print the conversation'
complete -c repute -n "__fish_repute_using_subcommand help; and not __fish_seen_subcommand_from setup records check serve demo account token domain queue bulk why suppression circuit explain message reports tls permit incidents trust events webhook mirror status send sendmail config man help" -f -a "sendmail" -d 'Take a message as the `sendmail` command does, for cron, PHP and others'
complete -c repute -n "__fish_repute_using_subcommand help; and not __fish_seen_subcommand_from setup records check serve demo account token domain queue bulk why suppression circuit explain message reports tls permit incidents trust events webhook mirror status send sendmail config man help" -f -a "config" -d 'Check or show the configuration'
complete -c repute -n "__fish_repute_using_subcommand help; and not __fish_seen_subcommand_from setup records check serve demo account token domain queue bulk why suppression circuit explain message reports tls permit incidents trust events webhook mirror status send sendmail config man help" -f -a "man" -d 'Write manual pages, shell completions and the configuration reference'
complete -c repute -n "__fish_repute_using_subcommand help; and not __fish_seen_subcommand_from setup records check serve demo account token domain queue bulk why suppression circuit explain message reports tls permit incidents trust events webhook mirror status send sendmail config man help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c repute -n "__fish_repute_using_subcommand help; and __fish_seen_subcommand_from account" -f -a "add" -d 'Make an account: asks for a password, prints the block for the configuration'
complete -c repute -n "__fish_repute_using_subcommand help; and __fish_seen_subcommand_from token" -f -a "add" -d 'Make a token: prints it, and the block for the configuration'
complete -c repute -n "__fish_repute_using_subcommand help; and __fish_seen_subcommand_from token" -f -a "ses" -d 'Print the access key id and the secret that clients of Amazon SES sign with'
complete -c repute -n "__fish_repute_using_subcommand help; and __fish_seen_subcommand_from domain" -f -a "add" -d 'Make the keys of a domain, and print its records and its block for the configuration'
complete -c repute -n "__fish_repute_using_subcommand help; and __fish_seen_subcommand_from domain" -f -a "list" -d 'List the domains that are set up, with their keys'
complete -c repute -n "__fish_repute_using_subcommand help; and __fish_seen_subcommand_from domain" -f -a "records" -d 'Print the DNS records to publish for a domain'
complete -c repute -n "__fish_repute_using_subcommand help; and __fish_seen_subcommand_from domain" -f -a "rotate" -d 'Exchange the keys of a domain for new ones, without a message that does not verify'
complete -c repute -n "__fish_repute_using_subcommand help; and __fish_seen_subcommand_from queue" -f -a "list" -d 'List what waits'
complete -c repute -n "__fish_repute_using_subcommand help; and __fish_seen_subcommand_from queue" -f -a "show" -d 'Show messages with their recipients and what was last said about each'
complete -c repute -n "__fish_repute_using_subcommand help; and __fish_seen_subcommand_from queue" -f -a "hold" -d 'Keep messages from being tried until they are released'
complete -c repute -n "__fish_repute_using_subcommand help; and __fish_seen_subcommand_from queue" -f -a "release" -d 'Let held messages go: they are tried now, or at the time that they were to be sent at, if it is ahead'
complete -c repute -n "__fish_repute_using_subcommand help; and __fish_seen_subcommand_from queue" -f -a "retry" -d 'Try waiting messages now; those that are to be sent later only if they are named by their ID'
complete -c repute -n "__fish_repute_using_subcommand help; and __fish_seen_subcommand_from queue" -f -a "cancel" -d 'Take messages out of the queue; their senders are not told'
complete -c repute -n "__fish_repute_using_subcommand help; and __fish_seen_subcommand_from bulk" -f -a "list" -d 'List the campaigns of the last 90 days'
complete -c repute -n "__fish_repute_using_subcommand help; and __fish_seen_subcommand_from bulk" -f -a "show" -d 'Show one campaign, by its name or id'
complete -c repute -n "__fish_repute_using_subcommand help; and __fish_seen_subcommand_from bulk" -f -a "watch" -d 'Show how far a campaign is until it is done'
complete -c repute -n "__fish_repute_using_subcommand help; and __fish_seen_subcommand_from bulk" -f -a "pause" -d 'Send nothing more of a campaign until it is resumed'
complete -c repute -n "__fish_repute_using_subcommand help; and __fish_seen_subcommand_from bulk" -f -a "resume" -d 'Go on with a paused campaign'
complete -c repute -n "__fish_repute_using_subcommand help; and __fish_seen_subcommand_from bulk" -f -a "cancel" -d 'Send nothing more of it, from the answer on; who was not written to yet is taken out behind it'
complete -c repute -n "__fish_repute_using_subcommand help; and __fish_seen_subcommand_from suppression" -f -a "list" -d 'List who is not written to'
complete -c repute -n "__fish_repute_using_subcommand help; and __fish_seen_subcommand_from suppression" -f -a "show" -d 'Show an address with cause, evidence and dates'
complete -c repute -n "__fish_repute_using_subcommand help; and __fish_seen_subcommand_from suppression" -f -a "add" -d 'Write to an address no more'
complete -c repute -n "__fish_repute_using_subcommand help; and __fish_seen_subcommand_from suppression" -f -a "release" -d 'Write to addresses again'
complete -c repute -n "__fish_repute_using_subcommand help; and __fish_seen_subcommand_from suppression" -f -a "import" -d 'Add the addresses of a file: CSV with a head, a JSON object a line, or an address a line'
complete -c repute -n "__fish_repute_using_subcommand help; and __fish_seen_subcommand_from suppression" -f -a "export" -d 'Write the list to the standard output'
complete -c repute -n "__fish_repute_using_subcommand help; and __fish_seen_subcommand_from circuit" -f -a "list" -d 'List what is stopped, and why'
complete -c repute -n "__fish_repute_using_subcommand help; and __fish_seen_subcommand_from circuit" -f -a "continue" -d 'Let the mail of an account or campaign go on; what went wrong until now counts no more'
complete -c repute -n "__fish_repute_using_subcommand help; and __fish_seen_subcommand_from circuit" -f -a "cancel" -d 'Take all waiting mail of an account or campaign out of the queue; its sender is not told'
complete -c repute -n "__fish_repute_using_subcommand help; and __fish_seen_subcommand_from circuit" -f -a "habits" -d 'Show what each account is used to, and how many strangers would be too much'
complete -c repute -n "__fish_repute_using_subcommand help; and __fish_seen_subcommand_from circuit" -f -a "expect" -d 'Say that much is meant to come from an account: it is not held for that, and it is its habit from then on'
complete -c repute -n "__fish_repute_using_subcommand help; and __fish_seen_subcommand_from message" -f -a "check" -d 'Judge a message before it is sent, as receivers will'
complete -c repute -n "__fish_repute_using_subcommand help; and __fish_seen_subcommand_from reports" -f -a "list" -d 'The reports that came, newest first'
complete -c repute -n "__fish_repute_using_subcommand help; and __fish_seen_subcommand_from reports" -f -a "show" -d 'One report with all it says'
complete -c repute -n "__fish_repute_using_subcommand help; and __fish_seen_subcommand_from reports" -f -a "sources" -d 'Who sends in our name, what passes, and how that changed'
complete -c repute -n "__fish_repute_using_subcommand help; and __fish_seen_subcommand_from reports" -f -a "read" -d 'Say what a file is: a report, packed or not, or a message that came back'
complete -c repute -n "__fish_repute_using_subcommand help; and __fish_seen_subcommand_from permit" -f -a "list" -d 'List every permit: each address with each domain (the default)'
complete -c repute -n "__fish_repute_using_subcommand help; and __fish_seen_subcommand_from permit" -f -a "show" -d 'Show the permits of one domain or address, with the evidence and what to do'
complete -c repute -n "__fish_repute_using_subcommand help; and __fish_seen_subcommand_from permit" -f -a "allow" -d 'Let mail leave although a check fails, for a time'
complete -c repute -n "__fish_repute_using_subcommand help; and __fish_seen_subcommand_from permit" -f -a "suspend" -d 'Keep mail from leaving although all is well, for a time'
complete -c repute -n "__fish_repute_using_subcommand help; and __fish_seen_subcommand_from permit" -f -a "reset" -d 'Take back what was said by `allow` or `suspend`'
complete -c repute -n "__fish_repute_using_subcommand help; and __fish_seen_subcommand_from permit" -f -a "check" -d 'Look again now instead of at the next time'
complete -c repute -n "__fish_repute_using_subcommand help; and __fish_seen_subcommand_from webhook" -f -a "list" -d 'List the webhooks: state, what waits, what was taken'
complete -c repute -n "__fish_repute_using_subcommand help; and __fish_seen_subcommand_from webhook" -f -a "show" -d 'Show one webhook in full'
complete -c repute -n "__fish_repute_using_subcommand help; and __fish_seen_subcommand_from webhook" -f -a "test" -d 'Post a test event now, and say what came of it'
complete -c repute -n "__fish_repute_using_subcommand help; and __fish_seen_subcommand_from webhook" -f -a "redeliver" -d 'Send events again that were sent before, under the ids that they had'
complete -c repute -n "__fish_repute_using_subcommand help; and __fish_seen_subcommand_from webhook" -f -a "pause" -d 'Send nothing until it is resumed; events are kept meanwhile'
complete -c repute -n "__fish_repute_using_subcommand help; and __fish_seen_subcommand_from webhook" -f -a "resume" -d 'Go on, also after the webhook was disabled by itself'
complete -c repute -n "__fish_repute_using_subcommand help; and __fish_seen_subcommand_from webhook" -f -a "secret" -d 'Print a new secret, for the configuration and for the receiver'
complete -c repute -n "__fish_repute_using_subcommand help; and __fish_seen_subcommand_from config" -f -a "check" -d 'Say what is wrong with the configuration: file, line, column, what, cure'
complete -c repute -n "__fish_repute_using_subcommand help; and __fish_seen_subcommand_from config" -f -a "show" -d 'Print every value, defaults too, secrets masked'
