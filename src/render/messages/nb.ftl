headline-items = { $count ->
    [one] { $count } enhet berørt
   *[other] { $count } enheter berørt
}

news-opened = Ny hendelse
news-updated = Oppdatering
news-priority-raised = Mer alvorlig enn meldt tidligere
news-acknowledged = Kvittert
news-acknowledged-by = Kvittert av { $person }
news-repeated = Fortsatt åpen etter { $duration }
news-escalated = Eskalert til neste nivå
news-sla-threshold = Et tjenestenivå er i fare
news-sla-breached = Et tjenestenivå ble ikke holdt
news-reopened = Åpnet igjen: feilen er tilbake
news-resolved = Løst etter { $duration }
news-resolved-by = Løst etter { $duration } av { $person }
news-merged = Nå en del av en annen hendelse
news-merged-into = Fortsetter som { $incident }
news-problem-proposed = Dette gjentar seg: et problem er foreslått
news-problem-accepted = Et problem er godtatt: noen leter etter årsaken
news-problem-known-error = Årsaken er nå en kjent feil
news-problem-resolved = Problemet bak dette er løst
news-test = Testmelding. Ingenting er galt.

severity = { $severity ->
    [critical] kritisk
    [major] alvorlig
    [minor] mindre alvorlig
    [warning] advarsel
   *[info] informasjon
}
state = { $state ->
    [acknowledged] kvittert
    [resolved] løst
    [closed] lukket
    [merged] slått sammen
    [pending] under vurdering
   *[open] åpen
}
level = { $level ->
    [high] høy
    [medium] middels
   *[low] lav
}
began = begynte { $at }
assigned-to = tildelt { $person }

label-root-cause = Årsak
label-impact = Konsekvens
label-service-level = Tjenestenivå
label-what-to-do = Hva du kan gjøre
label-evidence = Funn
label-links = Lenker
label-note = Merknad

root-cause-unknown = Ikke kjent ennå.
confidence = { $percent } % sikker
confirmed-by = bekreftet av { $person }

impact-levels = { $impact }, hast { $urgency }
impact-services = { $count ->
    [one] Tjeneste: { $names }
   *[other] { $count } tjenester: { $names }
}
impact-items = { $count ->
    [one] Enhet: { $names }
   *[other] { $count } enheter: { $names }
}
impact-alerts = { $count ->
    [one] { $firing } av { $count } alarm er aktiv
   *[other] { $firing } av { $count } alarmer er aktive
}
and-more = { $count } til

service-level-due = { $target ->
    [respond] Svar innen { $due } ({ $name })
   *[restore] Gjenopprett innen { $due } ({ $name })
}
service-level-missed = { $target ->
    [respond] IKKE HOLDT: svar innen { $due } ({ $name })
   *[restore] IKKE HOLDT: gjenopprett innen { $due } ({ $name })
}
service-level-met = { $target ->
    [respond] Svarte { $met }, frist { $due } ({ $name })
   *[restore] Gjenopprettet { $met }, frist { $due } ({ $name })
}

suspect-change = Mistenkt endring: { $change }
workaround = Kjent feil «{ $problem }»: { $workaround }
problem = Kjent problem «{ $problem }», foreløpig uten omvei
problem-reopened = Dette var løst og kom tilbake; åpent igjen siden { $at }
runbook = Veiledning for { $name }

alert-resolved = løst
alerts-more = { $count ->
    [one] og { $count } alarm til
   *[other] og { $count } alarmer til
}
link-incident = Hendelse { $incident }
link-alert = { $name } i { $source }

footer = Watchbell, hendelse { $incident }, melding { $number }
template-failed = Den innstilte malen feilet ({ $error }). Dette er den innebygde teksten.

button-acknowledge = Bekreft
button-resolve = Løst
button-assign-to-me = Tildel meg
button-escalate = Eskaler
button-mute = Demp 1 t
button-wrong-cause = Feil årsak…

callback-acknowledged = Bekreftet av { $person }.
callback-resolved = Løst av { $person }.
callback-assigned = Tildelt { $person }.
callback-escalated = Neste nivå blir spurt nå.
callback-commented = Notert.
callback-muted = { $item } og det som avhenger av den er dempet til { $until }.
callback-cause = { $item } er årsaken nå.
callback-which-cause = Hva er årsaken?
callback-already = Slik var det allerede.
callback-refused = Dette går ikke: { $why }
callback-not-found = Det finnes ingen hendelse { $incident }.
callback-ambiguous = Det kan være hvilken som helst av { $incidents }.
callback-stranger = Ingen her har kontoen din { $account }. En administrator kan legge den til en person.
callback-nobody-on-call = { $schedule }: ingen
callback-no-schedule = Det finnes ingen slik vaktplan.
callback-unknown = «{ $what }» er ikke noe som kan gjøres her. Prøv: help
callback-help = ack, resolve, take, escalate, mute eller cause med nummeret til en hendelse; note med nummer og tekst; oncall
