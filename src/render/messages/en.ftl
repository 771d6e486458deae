# Every text of a notification. The other languages hold the same keys with the same arguments.

headline-items = { $count ->
    [one] { $count } item affected
   *[other] { $count } items affected
}

news-opened = New incident
news-updated = Update
news-priority-raised = Worse than reported before
news-acknowledged = Acknowledged
news-acknowledged-by = Acknowledged by { $person }
news-repeated = Still open after { $duration }
news-escalated = Escalated to the next level
news-sla-threshold = A service level is at risk
news-sla-breached = A service level was missed
news-reopened = Reopened: it is back
news-resolved = Resolved after { $duration }
news-resolved-by = Resolved after { $duration } by { $person }
news-merged = Part of another incident now
news-merged-into = Goes on as { $incident }
news-problem-proposed = This keeps happening: a problem was proposed
news-problem-accepted = A problem was accepted: somebody looks for its cause
news-problem-known-error = The cause is a known error now
news-problem-resolved = The problem behind this was resolved
news-test = Test message. Nothing is wrong.

severity = { $severity ->
    [critical] critical
    [major] major
    [minor] minor
    [warning] warning
   *[info] info
}
state = { $state ->
    [acknowledged] acknowledged
    [resolved] resolved
    [closed] closed
    [merged] merged
    [pending] pending
   *[open] open
}
level = { $level ->
    [high] high
    [medium] medium
   *[low] low
}
began = began { $at }
assigned-to = assigned to { $person }

label-root-cause = Root cause
label-impact = Impact
label-service-level = Service level
label-what-to-do = What to do
label-evidence = Evidence
label-links = Links
label-note = Note

root-cause-unknown = Not known yet.
confidence = { $percent } % sure
confirmed-by = confirmed by { $person }

impact-levels = { $impact }, urgency { $urgency }
impact-services = { $count ->
    [one] Service: { $names }
   *[other] { $count } services: { $names }
}
impact-items = { $count ->
    [one] Item: { $names }
   *[other] { $count } items: { $names }
}
impact-alerts = { $count ->
    [one] { $firing } of { $count } alert is firing
   *[other] { $firing } of { $count } alerts are firing
}
and-more = { $count } more

service-level-due = { $target ->
    [respond] Respond by { $due } ({ $name })
   *[restore] Restore by { $due } ({ $name })
}
service-level-missed = { $target ->
    [respond] MISSED: respond by { $due } ({ $name })
   *[restore] MISSED: restore by { $due } ({ $name })
}
service-level-met = { $target ->
    [respond] Responded at { $met }, due { $due } ({ $name })
   *[restore] Restored at { $met }, due { $due } ({ $name })
}

suspect-change = Suspect change: { $change }
workaround = Known error “{ $problem }”: { $workaround }
problem = Known problem “{ $problem }”, no workaround yet
problem-reopened = This had been resolved and came back; open again since { $at }
runbook = Runbook for { $name }

alert-resolved = resolved
alerts-more = { $count ->
    [one] and { $count } more alert
   *[other] and { $count } more alerts
}
link-incident = Incident { $incident }
link-alert = { $name } in { $source }

footer = Watchbell, incident { $incident }, message { $number }
template-failed = The configured template failed ({ $error }). This is the built-in text.

button-acknowledge = Acknowledge
button-resolve = Resolve
button-assign-to-me = Assign to me
button-escalate = Escalate
button-mute = Mute 1 h
button-wrong-cause = Wrong cause…

callback-acknowledged = Acknowledged by { $person }.
callback-resolved = Resolved by { $person }.
callback-assigned = Assigned to { $person }.
callback-escalated = The next level is asked now.
callback-commented = Noted.
callback-muted = { $item } and what depends on it are muted until { $until }.
callback-cause = { $item } is the root cause now.
callback-which-cause = Which one is the cause?
callback-already = That was so already.
callback-refused = This cannot be done: { $why }
callback-not-found = There is no incident { $incident }.
callback-ambiguous = That could be any of { $incidents }.
callback-stranger = Nobody here has your account { $account }. An administrator can add it to a person.
callback-nobody-on-call = { $schedule }: nobody
callback-no-schedule = There is no such schedule.
callback-unknown = “{ $what }” is nothing that can be done here. Try: help
callback-help = ack, resolve, take, escalate, mute or cause with the id of an incident; note with an id and words; oncall
