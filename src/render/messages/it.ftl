headline-items = { $count ->
    [one] { $count } elemento coinvolto
   *[other] { $count } elementi coinvolti
}

news-opened = Nuovo incidente
news-updated = Aggiornamento
news-priority-raised = Più grave di quanto segnalato
news-acknowledged = Preso in carico
news-acknowledged-by = Preso in carico da { $person }
news-repeated = Ancora aperto dopo { $duration }
news-escalated = Passato al livello successivo
news-sla-threshold = Un livello di servizio è a rischio
news-sla-breached = Un livello di servizio non è stato rispettato
news-reopened = Riaperto: il guasto è tornato
news-resolved = Risolto dopo { $duration }
news-resolved-by = Risolto dopo { $duration } da { $person }
news-merged = Ora fa parte di un altro incidente
news-merged-into = Prosegue come { $incident }
news-problem-proposed = Si ripete: è stato proposto un problema
news-problem-accepted = Un problema è stato accettato: qualcuno ne cerca la causa
news-problem-known-error = La causa è ora un errore noto
news-problem-resolved = Il problema all’origine è stato risolto
news-test = Messaggio di prova. Non è successo nulla.

severity = { $severity ->
    [critical] critico
    [major] grave
    [minor] lieve
    [warning] avviso
   *[info] informazione
}
state = { $state ->
    [acknowledged] preso in carico
    [resolved] risolto
    [closed] chiuso
    [merged] unito
    [pending] in valutazione
   *[open] aperto
}
level = { $level ->
    [high] alto
    [medium] medio
   *[low] basso
}
began = inizio { $at }
assigned-to = assegnato a { $person }

label-root-cause = Causa
label-impact = Impatto
label-service-level = Livello di servizio
label-what-to-do = Cosa fare
label-evidence = Prove
label-links = Collegamenti
label-note = Nota

root-cause-unknown = Non ancora nota.
confidence = sicurezza { $percent } %
confirmed-by = confermata da { $person }

impact-levels = { $impact }, livello di urgenza { $urgency }
impact-services = { $count ->
    [one] Servizio: { $names }
   *[other] { $count } servizi: { $names }
}
impact-items = { $count ->
    [one] Elemento: { $names }
   *[other] { $count } elementi: { $names }
}
impact-alerts = { $count ->
    [one] Allarmi attivi: { $firing } su { $count }
   *[other] Allarmi attivi: { $firing } su { $count }
}
and-more = altri { $count }

service-level-due = { $target ->
    [respond] Rispondere entro { $due } ({ $name })
   *[restore] Ripristinare entro { $due } ({ $name })
}
service-level-missed = { $target ->
    [respond] NON RISPETTATO: rispondere entro { $due } ({ $name })
   *[restore] NON RISPETTATO: ripristinare entro { $due } ({ $name })
}
service-level-met = { $target ->
    [respond] Risposta alle { $met }, scadenza { $due } ({ $name })
   *[restore] Ripristino alle { $met }, scadenza { $due } ({ $name })
}

suspect-change = Modifica sospetta: { $change }
workaround = Errore noto «{ $problem }»: { $workaround }
problem = Problema noto «{ $problem }», ancora senza soluzione temporanea
problem-reopened = Era considerato risolto ed è tornato; di nuovo aperto da { $at }
runbook = Istruzioni per { $name }

alert-resolved = rientrato
alerts-more = { $count ->
    [one] e un altro allarme
   *[other] e altri { $count } allarmi
}
link-incident = Incidente { $incident }
link-alert = { $name } in { $source }

footer = Watchbell, incidente { $incident }, messaggio { $number }
template-failed = Il modello configurato non ha funzionato ({ $error }). Questo è il testo predefinito.

button-acknowledge = Prendi in carico
button-resolve = Risolto
button-assign-to-me = Assegna a me
button-escalate = Escala
button-mute = Silenzia 1 h
button-wrong-cause = Causa errata…

callback-acknowledged = Preso in carico da { $person }.
callback-resolved = Risolto da { $person }.
callback-assigned = Assegnato a { $person }.
callback-escalated = Ora viene chiesto al livello successivo.
callback-commented = Annotato.
callback-muted = { $item } e ciò che ne dipende sono silenziati fino alle { $until }.
callback-cause = Ora la causa è { $item }.
callback-which-cause = Qual è la causa?
callback-already = Era già così.
callback-refused = Non si può fare: { $why }
callback-not-found = Non esiste un incidente { $incident }.
callback-ambiguous = Potrebbe essere uno di questi: { $incidents }.
callback-stranger = Nessuno qui ha l'account { $account }. Un amministratore può aggiungerlo a una persona.
callback-nobody-on-call = { $schedule }: nessuno
callback-no-schedule = Non esiste un turno con questo nome.
callback-unknown = “{ $what }” non è qualcosa che si possa fare qui. Provi: help
callback-help = ack, resolve, take, escalate, mute o cause con il numero di un incidente; note con numero e testo; oncall
