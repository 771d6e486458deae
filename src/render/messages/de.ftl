headline-items = { $count ->
    [one] { $count } Element betroffen
   *[other] { $count } Elemente betroffen
}

news-opened = Neuer Vorfall
news-updated = Aktualisierung
news-priority-raised = Schwerer als zuletzt gemeldet
news-acknowledged = Übernommen
news-acknowledged-by = Übernommen von { $person }
news-repeated = Nach { $duration } immer noch offen
news-escalated = An die nächste Stufe eskaliert
news-sla-threshold = Eine Servicezusage ist in Gefahr
news-sla-breached = Eine Servicezusage wurde verfehlt
news-reopened = Wieder offen: die Störung ist zurück
news-resolved = Gelöst nach { $duration }
news-resolved-by = Gelöst nach { $duration } von { $person }
news-merged = Gehört jetzt zu einem anderen Vorfall
news-merged-into = Geht weiter als { $incident }
news-problem-proposed = Das wiederholt sich: ein Problem wurde vorgeschlagen
news-problem-accepted = Ein Problem wurde angenommen: jemand sucht die Ursache
news-problem-known-error = Die Ursache ist jetzt ein bekannter Fehler
news-problem-resolved = Das Problem dahinter wurde gelöst
news-test = Testnachricht. Es ist nichts passiert.

severity = { $severity ->
    [critical] kritisch
    [major] schwer
    [minor] leicht
    [warning] Warnung
   *[info] Hinweis
}
state = { $state ->
    [acknowledged] übernommen
    [resolved] gelöst
    [closed] geschlossen
    [merged] zusammengeführt
    [pending] in Prüfung
   *[open] offen
}
level = { $level ->
    [high] hoch
    [medium] mittel
   *[low] niedrig
}
began = Beginn { $at }
assigned-to = zugewiesen an { $person }

label-root-cause = Ursache
label-impact = Auswirkung
label-service-level = Servicezusage
label-what-to-do = Was zu tun ist
label-evidence = Belege
label-links = Links
label-note = Hinweis

root-cause-unknown = Noch nicht bekannt.
confidence = { $percent } % sicher
confirmed-by = bestätigt von { $person }

impact-levels = { $impact }, Dringlichkeit { $urgency }
impact-services = { $count ->
    [one] Service: { $names }
   *[other] { $count } Services: { $names }
}
impact-items = { $count ->
    [one] Element: { $names }
   *[other] { $count } Elemente: { $names }
}
impact-alerts = { $count ->
    [one] { $firing } von { $count } Alarm steht an
   *[other] { $firing } von { $count } Alarmen stehen an
}
and-more = { $count } weitere

service-level-due = { $target ->
    [respond] Reagieren bis { $due } ({ $name })
   *[restore] Wiederherstellen bis { $due } ({ $name })
}
service-level-missed = { $target ->
    [respond] VERFEHLT: Reagieren bis { $due } ({ $name })
   *[restore] VERFEHLT: Wiederherstellen bis { $due } ({ $name })
}
service-level-met = { $target ->
    [respond] Reagiert um { $met }, fällig { $due } ({ $name })
   *[restore] Wiederhergestellt um { $met }, fällig { $due } ({ $name })
}

suspect-change = Verdächtige Änderung: { $change }
workaround = Bekannter Fehler „{ $problem }“: { $workaround }
problem = Bekanntes Problem „{ $problem }“, noch ohne Umgehung
problem-reopened = Das galt als gelöst und kam wieder; seit { $at } wieder offen
runbook = Anleitung für { $name }

alert-resolved = behoben
alerts-more = { $count ->
    [one] und { $count } weiterer Alarm
   *[other] und { $count } weitere Alarme
}
link-incident = Vorfall { $incident }
link-alert = { $name } in { $source }

footer = Watchbell, Vorfall { $incident }, Nachricht { $number }
template-failed = Die eingestellte Vorlage schlug fehl ({ $error }). Dies ist der eingebaute Text.

button-acknowledge = Bestätigen
button-resolve = Behoben
button-assign-to-me = Mir zuweisen
button-escalate = Eskalieren
button-mute = 1 h stumm
button-wrong-cause = Falsche Ursache…

callback-acknowledged = Bestätigt von { $person }.
callback-resolved = Behoben von { $person }.
callback-assigned = Zugewiesen an { $person }.
callback-escalated = Die nächste Stufe wird jetzt gefragt.
callback-commented = Vermerkt.
callback-muted = { $item } und was davon abhängt ist bis { $until } stumm.
callback-cause = { $item } ist jetzt die Ursache.
callback-which-cause = Was ist die Ursache?
callback-already = Das war schon so.
callback-refused = Das geht nicht: { $why }
callback-not-found = Es gibt keine Störung { $incident }.
callback-ambiguous = Das könnte jede von diesen sein: { $incidents }.
callback-stranger = Niemand hier hat Ihr Konto { $account }. Ein Administrator kann es einer Person hinzufügen.
callback-nobody-on-call = { $schedule }: niemand
callback-no-schedule = Einen solchen Dienstplan gibt es nicht.
callback-unknown = „{ $what }“ ist nichts, was man hier tun kann. Versuchen Sie: help
callback-help = ack, resolve, take, escalate, mute oder cause mit der Nummer einer Störung; note mit Nummer und Text; oncall
