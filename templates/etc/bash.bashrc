# Every bash reads this, that of `ssh HOST COMMAND` too.
case ":$PATH:" in
*:/usr/sbin:*) ;;
*) export PATH=/usr/local/sbin:/usr/local/bin:/opt/bin:/usr/sbin:/usr/bin:/sbin:/bin ;;
esac
[ -n "${PS1:-}" ] || return 0
if [ "$(id -u)" = 0 ]; then PS1='[\u@\h \W]# '; else PS1='[\u@\h \W]$ '; fi
if [ -z "${BASH_COMPLETION_VERSINFO:-}" ] && [ -r /usr/share/bash-completion/bash_completion ]; then
	. /usr/share/bash-completion/bash_completion
fi
